#pragma once

#include <chrono>

namespace magpie {

/// The clock of every deadline: monotonic, unaffected by changes of the wall-clock time.
using clock = std::chrono::steady_clock;
using duration = std::chrono::nanoseconds;
using time_point = std::chrono::time_point<clock, duration>;

/// The moment `delay` from now. Saturates instead of overflowing: a delay too long to add is the
/// clock's last moment, and a negative one is now.
[[nodiscard]] inline time_point deadline_after(duration delay) noexcept {
  const time_point now = clock::now();
  if (delay <= duration::zero()) return now;
  return delay >= time_point::max() - now ? time_point::max() : now + delay;
}

/// The limit of what may take as long as it likes.
inline constexpr duration no_limit = duration::max();

namespace detail {

/// Any duration in nanoseconds, rounded up, so that no sleep is shorter than was asked; what is
/// out of range becomes the longest or zero.
template <class Rep, class Period>
[[nodiscard]] duration saturated(std::chrono::duration<Rep, Period> delay) noexcept {
  using seconds = std::chrono::duration<double>;
  // A comparison that a NaN fails too.
  if (!(seconds(delay) > seconds::zero())) return duration::zero();
  if (seconds(delay) >= seconds(duration::max())) return duration::max();
  return std::chrono::ceil<duration>(delay);
}

/// The deadline of what has no time at all.
inline constexpr time_point long_ago = time_point::min();

/// The end of a time limit that begins now: long_ago for zero and less, time_point::max() for none.
template <class Rep, class Period>
[[nodiscard]] time_point deadline_for(std::chrono::duration<Rep, Period> limit) noexcept {
  const duration rounded = saturated(limit);
  if (rounded == duration::zero()) return long_ago;
  return rounded == no_limit ? time_point::max() : deadline_after(rounded);
}

}  // namespace detail

}  // namespace magpie
