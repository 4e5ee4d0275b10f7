#pragma once

#include <cstddef>
#include <magpie/job.hpp>
#include <magpie/timer_node.hpp>

namespace magpie::detail {

/// A timer of a scheduler: hands `target` to the ready lanes when its time has come. Lives in
/// whatever waits, and must stay until the job has come back or disarm() said true.
struct timer : timer_node {
  explicit timer(job& target_job) noexcept : target(target_job) {}

  enum class state : unsigned char {
    pending,
    expired,
    flushed,  // the scheduler is being shut down: the time has not come, and never will
  };

  job& target;
  std::size_t shard = 0;           // set by arm()
  state outcome = state::pending;  // set by the timekeeper before it hands the job on
};

}  // namespace magpie::detail
