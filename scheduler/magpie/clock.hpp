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

}  // namespace magpie
