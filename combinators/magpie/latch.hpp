#pragma once

#include <atomic>
#include <cstddef>
#include <magpie/event.hpp>

namespace magpie {

/// A count that goes down once, and the tasks that wait until it is zero.
///
///     magpie::latch ready(3);
///     ready.count_down();     // in three tasks, or on any threads
///     co_await ready.wait();  // in any number of tasks
///
/// What was done before a count_down() happens before the end of each wait. It must outlive its
/// waits, as an event must: a task that has waited may destroy it. In the standard library:
/// `std::latch`, which blocks threads. In asyncio: no counterpart.
class latch {
 public:
  /// With a count of zero no wait suspends.
  explicit latch(std::size_t count) noexcept : left_(count) {
    if (count == 0) zero_.set();
  }

  /// Counts down. Throws invalid_state if less than that is left, and counts nothing then. Any
  /// thread.
  void count_down(std::size_t by = 1);

  /// Returns how much is left at this moment.
  [[nodiscard]] std::size_t left() const noexcept { return left_.load(std::memory_order_acquire); }

  /// Awaited, waits until the count is zero, and gives nothing. Throws invalid_state outside of a
  /// task. A cancel request to the awaiting task ends the wait at once with `cancelled`.
  [[nodiscard]] event::waiting wait() noexcept { return zero_.wait(); }

  /// Counts down by one, at once, and returns wait().
  [[nodiscard]] event::waiting arrive_and_wait() {
    count_down();
    return wait();
  }

 private:
  // Only goes down; each move acquires and releases. The thread that makes it zero sets the event.
  std::atomic<std::size_t> left_;
  event zero_;
};

}  // namespace magpie
