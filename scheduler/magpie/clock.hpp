#pragma once

#include <chrono>

namespace magpie {

/// The clock of every deadline. It is monotonic: changes of the wall-clock time do not affect it.
using clock = std::chrono::steady_clock;
using duration = std::chrono::nanoseconds;
using time_point = std::chrono::time_point<clock, duration>;

/// Where a runtime takes its time from: the clock, or a virtual time of its own. Virtual time
/// stands still while a job is ready to run, and then jumps to the next timer.
enum class time_source : unsigned char { real_time, virtual_time };
using enum time_source;

/// Returns the time of the calling task's runtime. Outside of a task it returns the clock's time. A
/// virtual time begins at time_point{}.
[[nodiscard]] time_point now() noexcept;

/// Returns the moment `delay` after `start`. Saturates instead of overflowing: a delay too long to
/// add gives the clock's last moment, and a negative delay gives `start`.
[[nodiscard]] inline time_point deadline_after(duration delay, time_point start = now()) noexcept {
  if (delay <= duration::zero()) return start;
  return delay >= time_point::max() - start ? time_point::max() : start + delay;
}

/// The time limit that never ends.
inline constexpr duration no_limit = duration::max();

namespace detail {

/// Converts a duration to nanoseconds and rounds up, so that no sleep is shorter than requested. A
/// duration out of range becomes the longest duration or zero.
template <class Rep, class Period>
[[nodiscard]] duration saturated(std::chrono::duration<Rep, Period> delay) noexcept {
  using seconds = std::chrono::duration<double>;
  // A NaN fails this comparison, too, so it becomes zero.
  if (!(seconds(delay) > seconds::zero())) return duration::zero();
  if (seconds(delay) >= seconds(duration::max())) return duration::max();
  return std::chrono::ceil<duration>(delay);
}

/// The deadline of a time limit of zero or less: it has always passed.
inline constexpr time_point long_ago = time_point::min();

/// Returns the end of a time limit that begins at `start`: long_ago for a limit of zero or less,
/// time_point::max() for no_limit.
template <class Rep, class Period>
[[nodiscard]] time_point deadline_for(std::chrono::duration<Rep, Period> limit,
                                      time_point start = now()) noexcept {
  const duration rounded = saturated(limit);
  if (rounded == duration::zero()) return long_ago;
  return rounded == no_limit ? time_point::max() : deadline_after(rounded, start);
}

}  // namespace detail

}  // namespace magpie
