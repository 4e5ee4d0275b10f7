// The fork lane under relacy: whatever its owner and thieves do, each item comes out exactly once,
// with all that was written into it before. Every program runs with both kinds of fence.

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "fork_lane_program.hpp"

namespace magpie::model {
namespace {

/// What the lane promises to a thread that is alone with it.
class alone : public lane_program<alone, 0, 2> {
 public:
  void own() {
    RL_ASSERT(tested_lane().looks_empty());
    RL_ASSERT(!pop() && !pop_if(0));
    int last_order = -1;
    RL_ASSERT(steal(last_order) == steal_result::empty);
    for (int lap = 0; lap < 3; ++lap) {
      push(0);
      RL_ASSERT(!tested_lane().looks_empty());
      RL_ASSERT(steal(last_order) == steal_result::stolen);
      RL_ASSERT(!pop_if(0) && !pop() && tested_lane().looks_empty());
    }
    // The ring is full and begins in its middle; then it grows, twice.
    push(0);
    push(1);
    RL_ASSERT(!pop_if(0));
    RL_ASSERT(steal(last_order) == steal_result::stolen);
    for (std::size_t i = 2; i < 7; ++i) push(i);
    RL_ASSERT(steal(last_order) == steal_result::stolen);
    RL_ASSERT(!pop_if(2) && pop_if(6) && pop_if(5) && !pop_if(6));
    RL_ASSERT(steal(last_order) == steal_result::stolen);
    push(6);
    RL_ASSERT(pop_if(6) && pop_if(4) && pop_if(3) && !pop() && !pop_if(3));
    RL_ASSERT(tested_lane().looks_empty());
    RL_ASSERT(steal(last_order) == steal_result::empty);
  }
  void rob(thief) {}
};

/// The ring grows with its beginning in the middle, and a thief goes on in the new one.
class growth_in_the_middle : public lane_program<growth_in_the_middle, 0, 2> {
 public:
  void own() {
    int last_order = -1;
    push(0);
    RL_ASSERT(steal(last_order) == steal_result::stolen);
    for (std::size_t i = 1; i < 6; ++i) push(i);
    for (int i = 1; i < 6; ++i) RL_ASSERT(steal(last_order) == steal_result::stolen);
    RL_ASSERT(steal(last_order) == steal_result::empty);
  }
  void rob(thief) {}
};

/// What is hidden, and what becomes public when: again with one thread only.
class exposure : public lane_program<exposure, 0, 8> {
 public:
  void own() {
    tested_lane().ask();  // to the empty lane: the first push answers
    push(0);
    takes({0});
    push(1);
    push(2);
    push(3);
    takes({});
    tested_lane().raid();  // nobody has asked
    takes({});
    tested_lane().ask();
    tested_lane().ask();
    takes({});
    push(4);  // answers with the half
    takes({1, 2});
    tested_lane().ask();
    RL_ASSERT(pop_if(4));  // answers with all that is left
    takes({3});
    push(5);
    push(6);
    push(7);
    tested_lane().ask();
    tested_lane().raid();
    RL_ASSERT(steals_public(5));
    RL_ASSERT(pop_if(7));
    takes({6});
    RL_ASSERT(!pop() && tested_lane().looks_empty());
    // Two raids, and no pop between them.
    for (int round = 0; round < 2; ++round) {
      push(0);
      push(1);
      takes({});
      tested_lane().ask();
      tested_lane().raid();
      takes({0, 1});
    }
    // Of four public items the owner takes the newest and hides the next.
    for (std::size_t i = 0; i < 4; ++i) push(i);
    tested_lane().ask();
    tested_lane().raid();
    RL_ASSERT(pop_if(3));
    takes({0, 1});
    RL_ASSERT(pop_if(2));
    RL_ASSERT(!pop() && tested_lane().looks_empty());
  }
  void rob(thief) {}

 private:
  /// A thief that asks for nothing gets just these.
  void takes(std::initializer_list<std::size_t> public_items) {
    for (const std::size_t expected : public_items) RL_ASSERT(steals_public(expected));
    RL_ASSERT(steals_nothing());
  }
};

/// Everybody wants the one item that is there.
template <int thieves>
class last_item : public lane_program<last_item<thieves>, thieves, 2> {
 public:
  void own() {
    this->push(0);
    this->pop();
  }
  void rob(thief how) { this->steal_times(1, how); }
};

/// As many items as thieves: who loses a race tries again, and so nobody comes away empty-handed.
template <int thieves>
class stampede : public lane_program<stampede<thieves>, thieves, 4> {
 public:
  void before() final {
    for (std::size_t i = 0; i < thieves; ++i) this->push(i);
  }
  void own() {}
  void rob(thief) {
    int last_order = -1;
    steal_result result;
    // hidden: another thief's raid is under way.
    do {
      result = this->steal(last_order);
      if (result != steal_result::stolen) let_time_pass();
    } while (result == steal_result::lost_race || result == steal_result::hidden);
    RL_ASSERT(result == steal_result::stolen);
  }
};

/// The owner goes up and down, to the empty lane and past it.
template <int thieves>
class push_and_pop : public lane_program<push_and_pop<thieves>, thieves, 4> {
 public:
  void own() {
    this->push(0);
    this->push(1);
    this->pop();
    this->push(2);
    this->pop();
    this->pop();
    this->push(3);
  }
  void rob(thief how) { this->steal_times(2, how); }
};

/// The owner leaves two items in the lane and computes: the thieves, who all raid, get them.
template <int thieves>
class computing : public lane_program<computing<thieves>, thieves, 4> {
 public:
  void own() {
    this->push(0);
    this->push(1);
    this->pop();
    this->push(2);
  }
  void rob(thief) { this->steal_all(3); }
};

/// All is public, the owner takes it back, and is raided again.
template <int thieves>
class taking_back : public lane_program<taking_back<thieves>, thieves, 8> {
 public:
  void before() final {
    for (std::size_t i = 0; i < 4; ++i) this->push(i);
    this->tested_lane().ask();
    this->tested_lane().raid();
  }
  void own() {
    this->pop();
    this->pop();
    this->push(4);
  }
  void rob(thief) { this->steal_all(5); }
};

/// A raid by somebody who knows nothing of what the owner did, and not by a look at the lane
/// either.
class blind_raid : public lane_program<blind_raid, 1, 8> {
 public:
  void before() final {
    for (std::size_t i = 0; i < 4; ++i) push(i);
    tested_lane().ask();
    tested_lane().raid();
  }
  void own() { pop(); }
  void rob(thief) {
    tested_lane().ask();
    tested_lane().raid();
    steal_all(4);
  }
};

/// Raid upon raid: a raider need not wait for the owner to notice the raid before.
template <int thieves>
class raid_upon_raid : public lane_program<raid_upon_raid<thieves>, thieves, 8> {
 public:
  void before() final {
    this->push(0);
    this->push(1);
  }
  void own() {
    this->push(2);
    this->pop();
    this->pop();
    this->push(3);
  }
  void rob(thief) {
    for (int round = 0; round < 2; ++round) {
      this->tested_lane().ask();
      this->tested_lane().raid();
      this->steal_times(1, thief::asks);
    }
  }
};

/// The ring of two grows to four and to eight under the thieves' hands.
template <int thieves>
class growth : public lane_program<growth<thieves>, thieves, 2> {
 public:
  void own() {
    for (std::size_t i = 0; i < 5; ++i) this->push(i);
    this->pop();
  }
  void rob(thief how) { this->steal_times(2, how); }
};

/// Lap after lap in the smallest ring: a slow thief's slot is overwritten before its exchange.
/// Whether the ring grows depends on the thieves.
template <int thieves>
class laps : public lane_program<laps<thieves>, thieves, 2> {
 public:
  void own() {
    this->push(0);
    this->push(1);
    this->pop();
    this->push(2);
    this->push(3);
    this->pop();
    this->pop();
    this->push(4);
    this->push(5);
  }
  void rob(thief how) { this->steal_times(2, how); }
};

/// Fork and unfork, nested. What was not stolen is pushed again under the same address, so slots
/// hold pointers to items that are elsewhere, and to the right item at the wrong index.
template <int thieves>
class fork_and_unfork : public lane_program<fork_and_unfork<thieves>, thieves, 2> {
 public:
  void own() {
    this->push(0);
    this->push(1);
    const bool kept_inner = this->pop_if(1);
    const bool kept_outer = this->pop_if(0);
    if (kept_inner) this->push(1);
    if (kept_outer) this->push(0);
    if (kept_outer) this->pop_if(0);
    this->pop_if(1);
    this->push(2);
  }
  void rob(thief how) { this->steal_times(2, how); }
};

template <class Program>
void run_lane(std::string name, search kind) {
  if (tested_fences == fences::none) name += ", no fence";
  run<Program>(name.c_str(), kind);
}

/// Programs of which two preemptions take minutes; where each operation takes the guard, hours.
template <class Program>
void run_large(std::string name, search kind) {
  if (kind == search::random) {
    run_lane<Program>(std::move(name), kind);
  } else if (tested_fences == fences::asymmetric) {
    run_lane<Program>(std::move(name), search::few_preemptions);
  }
}

void run_all(fences kind_of_fences) {
  tested_fences = kind_of_fences;
  run_lane<alone>("alone", search::all);
  run_lane<exposure>("exposure", search::all);
  run_lane<growth_in_the_middle>("growth_in_the_middle", search::all);
  // To wait for a raid is a loop, which makes a search for all executions endless.
  run_lane<last_item<1>>("last_item<1>", search::two_preemptions);
  run_lane<blind_raid>("blind_raid", search::two_preemptions);
  for (const search kind : {search::two_preemptions, search::random}) {
    run_lane<last_item<2>>("last_item<2>", kind);
    run_lane<stampede<2>>("stampede<2>", kind);
    run_large<stampede<3>>("stampede<3>", kind);
    run_lane<computing<1>>("computing<1>", kind);
    run_large<computing<2>>("computing<2>", kind);
    run_lane<taking_back<1>>("taking_back<1>", kind);
    run_large<taking_back<2>>("taking_back<2>", kind);
    run_lane<raid_upon_raid<1>>("raid_upon_raid<1>", kind);
    run_large<raid_upon_raid<2>>("raid_upon_raid<2>", kind);
    run_lane<push_and_pop<1>>("push_and_pop<1>", kind);
    run_large<push_and_pop<2>>("push_and_pop<2>", kind);
    run_lane<growth<1>>("growth<1>", kind);
    run_large<growth<2>>("growth<2>", kind);
    run_lane<laps<1>>("laps<1>", kind);
    run_large<laps<2>>("laps<2>", kind);
    run_lane<fork_and_unfork<1>>("fork_and_unfork<1>", kind);
    run_large<fork_and_unfork<2>>("fork_and_unfork<2>", kind);
  }
}

}  // namespace
}  // namespace magpie::model

// Without an argument: both kinds of fence.
int main(int count, char** arguments) {
  using namespace magpie::model;
  const std::string_view chosen = count > 1 ? arguments[1] : "";
  if (chosen != "unfenced") run_all(fences::asymmetric);
  if (chosen != "fenced") run_all(fences::none);
}
