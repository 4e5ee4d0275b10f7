#pragma once

#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/timer.hpp>
#include <magpie/detail/wait_list.hpp>
#include <magpie/rate.hpp>
#include <utility>

namespace magpie {

/// Lets tasks start something no more often than a rate allows, first come, first served.
///
///     magpie::rate_limiter calls(magpie::rate{10, 1s});
///     co_await calls.acquire();  // in each task, before each call
///
/// Any window of a period has at most rate::count + rate::burst starts. The limiter counts *starts*
/// and does not know how long things take: to limit how many run, use a semaphore. Nothing has to
/// be given back.
///
/// A start may have a *weight*: it counts as that many starts at once, say for a request of that
/// many bytes. The greatest weight is rate::burst + 1, which is what may start together.
///
/// - Tasks of several runtimes that have the same time may share it. What a task did before its
///   acquisition returned happens before the return of a later one.
/// - It must outlive its waits: to destroy it while a task waits aborts the program. The task that
///   acquired last may destroy it.
/// - Nothing is allocated. A start that is allowed now costs a lock, an unlock and a look at the
///   clock, and no suspension. The first of the tasks that wait has a timer.
///
/// In asyncio: no counterpart; the package aiolimiter has one, with a burst of the whole period.
class rate_limiter {
 public:
  /// Throws invalid_state when the rate's count or period is not above zero.
  explicit rate_limiter(const rate& allowed) : meter_(allowed) {}
  rate_limiter(const rate_limiter&) = delete;
  rate_limiter& operator=(const rate_limiter&) = delete;
  ~rate_limiter();

  class acquisition;

  /// Waits for the caller's turn, and then until the rate allows a start of this weight.
  ///
  /// Awaited, gives nothing. On return the start is counted, so the caller has to start at once. A
  /// cancel request to the awaiting task ends the wait at once with `cancelled`; the next waiter
  /// has the turn, and no start is counted. The call throws invalid_state for a weight of zero or
  /// above rate::burst + 1; the await does outside of a task.
  [[nodiscard]] acquisition acquire(std::size_t weight = 1);

  /// Counts a start and returns true if the rate allows one of this weight now and no task waits or
  /// has the turn. Else returns false. Call it in a task: the time is that of the task's runtime.
  /// Throws invalid_state for a weight of zero or above rate::burst + 1.
  [[nodiscard]] bool try_acquire(std::size_t weight = 1);

  /// Returns how many tasks wait at this moment.
  [[nodiscard]] std::size_t waiting() const noexcept;

 private:
  /// The greatest weight never changes.
  [[nodiscard]] std::size_t checked(std::size_t weight) const MAGPIE_UNCHECKED_LOCKING;
  [[nodiscard]] bool start(std::size_t weight, time_point when) noexcept MAGPIE_REQUIRES(waiters_);
  void end_turn(std::size_t weight) noexcept;
  [[nodiscard]] acquisition* begin_turn(time_point when) noexcept MAGPIE_REQUIRES(waiters_);
  void give_turn(acquisition& first) noexcept MAGPIE_REQUIRES(waiters_);

  mutable detail::wait_list waiters_;  // each an acquisition
  detail::rate_meter meter_ MAGPIE_GUARDED_BY(waiters_);
  std::size_t waiting_ MAGPIE_GUARDED_BY(waiters_) = 0;
  // Whether a task that waited may start now, and has not said when it did. It is in no list.
  bool is_held_ MAGPIE_GUARDED_BY(waiters_) = false;
};

/// What acquire() returns, to be awaited once and at once.
///
/// The timer is armed while the acquisition is the first of those that wait and nobody has the
/// turn. Until it fires no start is counted, so the moment for which it was armed stays right.
class [[nodiscard]] rate_limiter::acquisition : private detail::leaf_wait, private detail::timer {
 public:
  acquisition(rate_limiter& source, std::size_t weight) noexcept
      : leaf_wait(operations_of<acquisition>), timer(&fire), source_(source), weight_(weight) {}
  acquisition(acquisition&& other) noexcept
      : leaf_wait(std::move(other)),
        timer(&fire),
        source_(other.source_),
        weight_(other.weight_),
        once_(std::move(other.once_)) {}

  [[nodiscard]] bool await_ready();
  [[nodiscard]] bool await_suspend(detail::task_coroutine suspended);
  void await_resume();

 private:
  friend rate_limiter;
  friend leaf_wait;

  [[nodiscard]] static detail::job* fire(detail::timer& self) noexcept;
  [[nodiscard]] bool withdraw() noexcept;
  void describe(detail::wait_descriptions& into) const noexcept;

  rate_limiter& source_;
  const std::size_t weight_;
  detail::single_await once_;
  // Guarded by the limiter's lock. The task reads it without the lock when it is resumed.
  bool has_turn_ = false;
};

inline rate_limiter::acquisition rate_limiter::acquire(std::size_t weight) {
  return acquisition(*this, checked(weight));
}

}  // namespace magpie
