#pragma once

#include <cstddef>
#include <magpie/detail/job.hpp>
#include <magpie/detail/timer_node.hpp>

namespace magpie::detail {

/// A timer of a scheduler. Lives in whatever waits, and must stay until `fire` has been called or
/// disarm() said true.
struct timer : timer_node {
  /// Called on the thread that keeps the time, without any lock; takes no longer than to submit
  /// some jobs. What it returns, unless it is null, is submitted; the timer is not touched any
  /// more.
  using fire_function = job* (*)(timer& self) noexcept;

  explicit timer(fire_function when_due) noexcept : fire(when_due) {}

  enum class state : unsigned char {
    pending,
    expired,
    flushed,  // the scheduler is being shut down: the time has not come, and never will
  };

  const fire_function fire;
  std::size_t shard = 0;           // set by arm()
  state outcome = state::pending;  // set by the timekeeper before the call
};

}  // namespace magpie::detail
