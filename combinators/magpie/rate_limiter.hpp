#pragma once

#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/task.hpp>

namespace magpie {

/// So many in each period, evenly spaced, and `burst` more that may come early after a pause.
struct rate {
  std::size_t count = 1;
  duration period = std::chrono::seconds(1);
  std::size_t burst = 0;
};

namespace detail {

/// Says when the next may begin: the generic cell rate algorithm of ITU-T I.371, the leaky bucket
/// as a meter. It keeps one moment, at which the next would come if all came evenly; who comes
/// later moves it on, and who comes earlier than `burst` spaces before it has to wait.
///
/// What is noted is when each really began, so that those who were late do not draw the next ones
/// nearer: of N in a row the last begins at least N - 1 - burst spaces after the first, and a space
/// is no shorter than period / count. So in any window of a period, its end not counted, there are
/// at most count + burst.
class rate_meter {
 public:
  /// Throws invalid_state for a rate of none, or in no time.
  explicit rate_meter(const rate& allowed);

  /// The earliest moment for the next.
  [[nodiscard]] time_point next() const noexcept { return even_ - tolerance_; }
  void begin(time_point when) noexcept;

 private:
  const duration space_;
  const duration tolerance_;
  time_point even_;
};

}  // namespace detail

/// Has tasks wait until they may begin what is allowed so often only: first come, first served, in
/// any window of a period no more than rate::count and the burst. It limits *beginnings*, and does
/// not know how long things take: for that, take a semaphore. Nothing is to be given back.
///
/// For tasks of one runtime, or of several that have the same time. Outlives its waits, as a
/// semaphore does.
///
/// asyncio has nothing like it; the package aiolimiter has, with a burst of the whole period.
class rate_limiter {
 public:
  /// Throws invalid_state for a rate of none, or in no time.
  explicit rate_limiter(const rate& allowed) : meter_(allowed) {}

  /// Waits for its turn, and then until the caller may begin, which it has to do at once: it counts
  /// as having begun. A cancelled wait ends at once, gives its turn to the next, and does not
  /// count. Throws invalid_state outside of a task. Costs a frame, and a timer for who is next.
  [[nodiscard]] task<> acquire();

  /// Whether the caller may begin now; nobody who waits is passed. In a task, whose time it asks.
  [[nodiscard]] bool try_acquire() noexcept;

 private:
  semaphore turn_{1};
  detail::rate_meter meter_;  // of who has the turn
};

}  // namespace magpie
