#pragma once

#include <cstddef>
#include <magpie/detail/job.hpp>
#include <magpie/detail/timer_node.hpp>

namespace magpie::detail {

/// A timer of a scheduler. It lives in what waits for it. It must live until `fire` has been called
/// or disarm() has returned true.
struct timer : timer_node {
  /// Called when the time has come, without any lock, on the thread that keeps the time. It must
  /// not take longer than the submission of some jobs. The scheduler submits the job that it
  /// returns, unless that is null, and does not touch the timer any more.
  using fire_function = job* (*)(timer& self) noexcept;

  explicit timer(fire_function when_due) noexcept : fire(when_due) {}

  const fire_function fire;
  std::size_t shard = 0;  // set by arm()
};

}  // namespace magpie::detail
