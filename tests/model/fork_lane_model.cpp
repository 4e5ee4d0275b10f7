// The fork lane under relacy: whatever its owner and thieves do, each item comes out exactly once,
// with all that was written into it before.

#include <array>
#include <cstddef>
#include <magpie/fork_lane.hpp>

#include "relacy_sync.hpp"
#include "search.hpp"

namespace magpie::model {
namespace {

struct item {
  plain<int> payload;
  int expected = 0;
  int order = 0;  // of its push among all pushes
  bool in_lane = false;
};

using lane = detail::basic_fork_lane<item, relacy_sync>;
using steal_result = lane::steal_result;

constexpr std::size_t item_count = 8;

/// What a thief does that finds the owner's items hidden.
enum class thief { asks, raids };

/// Thread 0 owns the lane and runs Derived::own(); the others run Derived::rob(), the first of them
/// raids, the second only asks.
template <class Derived, int thieves, std::size_t capacity>
class lane_program : public program {
 public:
  static constexpr unsigned threads = 1 + thieves;

  void thread(unsigned index) final {
    auto& self = static_cast<Derived&>(*this);
    if (index == 0) {
      self.own();
    } else {
      self.rob(index == 2 ? thief::asks : thief::raids);
    }
  }

  void after() final {
    while (pop()) {
    }
    RL_ASSERT(lane_.looks_empty());
    for (const item& each : items_) RL_ASSERT(!each.in_lane);
  }

 protected:
  void push(std::size_t index) {
    item& each = items_[index];
    each.expected += 1;
    each.payload.write(each.expected);
    each.order = pushes_++;
    each.in_lane = true;
    RL_ASSERT(lane_.push(each));
  }

  bool pop() {
    item* const each = lane_.pop();
    if (each != nullptr) take(*each);
    return each != nullptr;
  }

  bool pop_if(std::size_t index) {
    const bool popped = lane_.pop_if(items_[index]);
    if (popped) take(items_[index]);
    return popped;
  }

  steal_result steal(int& last_order, thief how = thief::raids) {
    item* each = nullptr;
    steal_result result = lane_.steal(each);
    if (result == steal_result::hidden) {
      lane_.ask();
      if (how == thief::raids) lane_.raid();
      result = lane_.steal(each);
    }
    if (result == steal_result::stolen) {
      RL_ASSERT(each != nullptr);
      RL_ASSERT(each->order > last_order);  // the oldest first
      last_order = each->order;
      take(*each);
    }
    return result;
  }

  void steal_times(int attempts, thief how) {
    int last_order = -1;
    for (int i = 0; i < attempts; ++i) (void)steal(last_order, how);
  }

  lane& tested_lane() { return lane_; }

 private:
  // Whoever takes an item may write to it: it is his alone.
  void take(item& each) {
    RL_ASSERT(each.in_lane);
    each.in_lane = false;
    RL_ASSERT(each.payload.read() == each.expected);
    each.payload.write(0);
  }

  lane lane_{capacity};
  std::array<item, item_count> items_;
  int pushes_ = 0;
};

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

}  // namespace
}  // namespace magpie::model

int main() {
  using namespace magpie::model;
  run<alone>("alone", search::all);
  // Its spin on a raid makes the search for all executions endless.
  run<last_item<1>>("last_item<1>", search::two_preemptions);
  for (const search kind : {search::two_preemptions, search::random}) {
    run<last_item<2>>("last_item<2>", kind);
    run<stampede<2>>("stampede<2>", kind);
    run<stampede<3>>("stampede<3>", kind);
    run<push_and_pop<1>>("push_and_pop<1>", kind);
    run<push_and_pop<2>>("push_and_pop<2>", kind);
    run<growth<1>>("growth<1>", kind);
    run<growth<2>>("growth<2>", kind);
    run<laps<1>>("laps<1>", kind);
    run<laps<2>>("laps<2>", kind);
    run<fork_and_unfork<1>>("fork_and_unfork<1>", kind);
    run<fork_and_unfork<2>>("fork_and_unfork<2>", kind);
  }
}
