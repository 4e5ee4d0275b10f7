#pragma once

#include <chrono>
#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <utility>

namespace magpie {

struct admission_options {
  duration target = std::chrono::milliseconds(5);      // how long work may wait before it begins
  duration interval = std::chrono::milliseconds(100);  // how long a burst may make it wait longer
};

/// Refuses work while too much is waiting, so that a service that gets more than it can do answers
/// in time what it accepts, instead of all of it too late.
///
///     magpie::admission door({.target = 5ms});
///
///     magpie::task<> serve(request asked, magpie::admission::entry place) {
///       place.begin();  // the work begins; it has waited since try_enter()
///       co_await answer(asked);
///     }
///
///     if (magpie::admission::entry place = door.try_enter()) {
///       magpie::spawn(serve(std::move(asked), std::move(place)));
///     } else {
///       refuse(asked);
///     }
///
/// - The *delay* of work is the time from try_enter() to begin(). A burst makes the delay rise and
///   fall again. A queue that *stands* makes it stay: if all work that began within an interval had
///   waited longer than the target, or nothing began although work waited, the door is overloaded.
///   An overloaded door refuses new work that would wait for more than twice the target, by the
///   number of those that wait and the pace at which work begins. It ceases to be overloaded after
///   an interval in which some work waited no longer than the target, or the queue was empty.
/// - Nothing waits here, and nothing is allocated. Each call costs a lock, an unlock and a look at
///   the clock. Any thread.
/// - It is for the tasks of one runtime, or of several that have the same time. It must outlive its
///   entries: to destroy it before them aborts the program.
///
/// The method is CoDel (K. Nichols and V. Jacobson, Controlling Queue Delay, ACM Queue 2012), in
/// the form for the requests of services (B. Maurer, Fail at Scale, ACM Queue 2015). In asyncio: no
/// counterpart.
class admission {
 public:
  class entry;

  /// Throws invalid_state when the target or the interval is not above zero.
  explicit admission(const admission_options& options = defaults());
  admission(const admission&) = delete;
  admission& operator=(const admission&) = delete;
  ~admission();

  /// Lets work in, to wait for its beginning, or returns an empty entry: the work is refused.
  [[nodiscard]] entry try_enter() noexcept;

  /// Returns how much work has been let in and has not begun.
  [[nodiscard]] std::size_t waiting() const noexcept;

  /// Returns whether the queue stood during the last interval.
  [[nodiscard]] bool is_overloaded() const noexcept;

 private:
  using seconds = std::chrono::duration<double>;

  [[nodiscard]] static admission_options defaults() noexcept { return {}; }

  void begin(time_point entered) noexcept;
  void leave() noexcept;

  /// If the interval is over, decides whether the queue stood in it, and begins the next one.
  void end_interval(time_point when) noexcept MAGPIE_REQUIRES(lock_);
  /// How long work would wait that enters now, at the least.
  [[nodiscard]] seconds expected_delay(time_point when) const noexcept MAGPIE_REQUIRES(lock_);
  void remove_one() noexcept MAGPIE_REQUIRES(lock_);

  static constexpr duration none = duration::max();

  const admission_options options_;
  mutable detail::spin_lock lock_;
  std::size_t waiting_ MAGPIE_GUARDED_BY(lock_) = 0;
  // When work last began, or the first entered after the queue was empty. So the oldest work that
  // waits has waited since then, or longer.
  time_point waiting_since_ MAGPIE_GUARDED_BY(lock_){};
  // The time between two beginnings while work waits: a moving average.
  seconds space_ MAGPIE_GUARDED_BY(lock_){};
  duration least_delay_ MAGPIE_GUARDED_BY(lock_) = none;  // in this interval so far
  time_point interval_end_ MAGPIE_GUARDED_BY(lock_) = time_point::min();
  bool is_overloaded_ MAGPIE_GUARDED_BY(lock_) = false;
};

/// The place of work that was let in and has not begun. Destroyed before that, it leaves: nobody
/// will do the work. Empty when it was refused or moved from, and after begin().
class [[nodiscard]] admission::entry {
 public:
  entry() noexcept = default;
  entry(entry&& other) noexcept
      : door_(std::exchange(other.door_, nullptr)), entered_(other.entered_) {}
  entry& operator=(entry other) noexcept {
    std::swap(door_, other.door_);
    std::swap(entered_, other.entered_);
    return *this;
  }
  ~entry() {
    if (door_ != nullptr) door_->leave();
  }

  explicit operator bool() const noexcept { return door_ != nullptr; }

  /// Says that the work begins. Throws invalid_state if the entry is empty.
  void begin();

 private:
  friend admission;

  entry(admission& door, time_point entered) noexcept : door_(&door), entered_(entered) {}

  admission* door_ = nullptr;
  time_point entered_;
};

}  // namespace magpie
