#pragma once

#include <chrono>

namespace magpie {

/// The clock of every deadline: monotonic, unaffected by changes of the wall-clock time.
using clock = std::chrono::steady_clock;
using duration = std::chrono::nanoseconds;
using time_point = std::chrono::time_point<clock, duration>;

/// What a runtime's time is: that of the clock, or one of its own, which stands still while
/// anything is ready to run, and then jumps to what is due next.
enum class time_source : unsigned char { real_time, virtual_time };
using enum time_source;

/// The time of the runtime whose task is calling; elsewhere that of the clock. A virtual time
/// begins at time_point{}.
[[nodiscard]] time_point now() noexcept;

/// The moment `delay` after `start`. Saturates instead of overflowing: a delay too long to add is
/// the clock's last moment, and a negative one is `start`.
[[nodiscard]] inline time_point deadline_after(duration delay, time_point start = now()) noexcept {
  if (delay <= duration::zero()) return start;
  return delay >= time_point::max() - start ? time_point::max() : start + delay;
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
[[nodiscard]] time_point deadline_for(std::chrono::duration<Rep, Period> limit,
                                      time_point start = now()) noexcept {
  const duration rounded = saturated(limit);
  if (rounded == duration::zero()) return long_ago;
  return rounded == no_limit ? time_point::max() : deadline_after(rounded, start);
}

}  // namespace detail

}  // namespace magpie
