#pragma once

#include <array>
#include <cstddef>
#include <magpie/detail/fork_lane.hpp>
#include <utility>

#include "relacy_sync.hpp"
#include "search.hpp"
#include "support/fork_lane.hpp"

// What the programs of fork_lane_model.cpp have in common.

namespace magpie::model {

struct item {
  plain<int> payload;
  int expected = 0;
  int order = 0;  // of its push among all pushes
  bool in_lane = false;
};

/// Which fences the lane is told that it has.
enum class fences {
  asymmetric,  // the fence of a raid, and its light half in each pop: both are full fences
  none         // symmetric: the lane does without any
};

inline fences tested_fences = fences::asymmetric;  // as in this run

struct lane_sync : relacy_sync {
  using location = std::source_location;

  static bool is_symmetric() { return tested_fences == fences::none; }
  static void light_half(location where = location::current()) {
    if (!is_symmetric()) relacy_sync::light_half(where);
  }
  static void heavy_fence(location where = location::current()) {
    if (!is_symmetric()) relacy_sync::heavy_fence(where);
  }
};

using lane = detail::basic_fork_lane<item, lane_sync>;
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
    in_lane_ += 1;
    RL_ASSERT(test::push(lane_, each));
  }

  bool pop() {
    item* const each = lane_.pop();
    if (each != nullptr) take(*each);
    return each != nullptr;
  }

  bool pop_if(std::size_t index) {
    const bool popped = test::pop_if(lane_, items_[index]);
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

  /// Whether a thief that does not ask gets this one.
  bool steals_public(std::size_t index) {
    item* each = nullptr;
    if (lane_.steal(each) != steal_result::stolen) return false;
    take(*each);
    return each == &items_[index];
  }

  /// Whether it gets none, and knows why.
  bool steals_nothing() {
    item* each = nullptr;
    return lane_.steal(each) == (in_lane_ > 0 ? steal_result::hidden : steal_result::empty);
  }

  void steal_times(int attempts, thief how) {
    int last_order = -1;
    for (int i = 0; i < attempts; ++i) (void)steal(last_order, how);
  }

  /// Until so many items have been pushed, and nothing is left: whatever the owner leaves must come
  /// out although it does not touch the lane any more.
  void steal_all(int pushes) {
    int last_order = -1;
    while (pushes_ < pushes || in_lane_ > 0) {
      if (steal(last_order) != steal_result::stolen) let_time_pass();
    }
  }

  lane& tested_lane() { return lane_; }

 private:
  // Whoever takes an item may write to it: it is his alone.
  void take(item& each) {
    RL_ASSERT(each.in_lane);
    each.in_lane = false;
    in_lane_ -= 1;
    RL_ASSERT(each.payload.read() == each.expected);
    each.payload.write(0);
  }

  lane lane_{capacity};
  std::array<item, item_count> items_;
  int pushes_ = 0;
  int in_lane_ = 0;
};

}  // namespace magpie::model
