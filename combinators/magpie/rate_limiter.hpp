#pragma once

#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/task.hpp>

namespace magpie {

/// How often something may start: `count` times in each period, evenly spaced. Up to `burst` more
/// may come early after a pause.
struct rate {
  std::size_t count = 1;
  duration period = std::chrono::seconds(1);
  std::size_t burst = 0;
};

namespace detail {

/// Computes when the next start is allowed: the generic cell rate algorithm of ITU-T I.371, the
/// leaky bucket as a meter. It keeps one moment, even_, at which the next start would come if all
/// came evenly. Each start moves even_ on. A start may come `burst` spaces before even_, but not
/// earlier.
///
/// The meter notes when each start really came, so a late start does not draw the next ones nearer.
/// Of N starts in a row the last comes at least N - 1 - burst spaces after the first. A space is no
/// shorter than period / count. So any window of a period, its end not counted, has at most
/// count + burst starts.
class rate_meter {
 public:
  /// Throws invalid_state when the rate's count or period is not above zero.
  explicit rate_meter(const rate& allowed);

  /// Returns the earliest moment for the next start.
  [[nodiscard]] time_point next() const noexcept { return even_ - tolerance_; }
  void begin(time_point when) noexcept;

 private:
  const duration space_;
  const duration tolerance_;
  time_point even_;
};

}  // namespace detail

/// Lets tasks start something no more often than a rate allows, first come, first served.
///
///     magpie::rate_limiter calls(magpie::rate{10, 1s});
///     co_await calls.acquire();  // in each task, before each call
///
/// Any window of a period has at most rate::count + rate::burst starts. The limiter counts *starts*
/// and does not know how long things take: to limit how many run, use a semaphore. Nothing has to
/// be given back.
///
/// It is for the tasks of one runtime, or of several that have the same time. It must outlive its
/// waits, as a semaphore must.
///
/// In asyncio: no counterpart; the package aiolimiter has one, with a burst of the whole period.
class rate_limiter {
 public:
  /// Throws invalid_state when the rate's count or period is not above zero.
  explicit rate_limiter(const rate& allowed) : meter_(allowed) {}

  /// Waits for the caller's turn, and then until the rate allows a start.
  ///
  /// Awaited, gives nothing. On return the start is counted, so the caller has to start at once. A
  /// cancel request to the awaiting task ends the wait at once with `cancelled`; the next waiter
  /// has the turn, and no start is counted. Throws invalid_state outside of a task. Costs a frame,
  /// and a timer for the waiter that has the turn.
  [[nodiscard]] task<> acquire();

  /// Counts a start and returns true if the rate allows one now and no task waits or has the turn.
  /// Else returns false. Call it in a task: the time is that of the task's runtime.
  [[nodiscard]] bool try_acquire() noexcept;

 private:
  semaphore turn_{1};
  detail::rate_meter meter_;  // for the holder of the turn alone
};

}  // namespace magpie
