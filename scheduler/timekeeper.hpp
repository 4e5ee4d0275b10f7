#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <magpie/clock.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/thread_mutex.hpp>
#include <magpie/detail/timer.hpp>
#include <thread>

#include "scheduler/timer_wheel.hpp"

namespace magpie::detail {

/// Fires the timers. Timers lie in shards, one for each worker; each shard is a wheel under a lock
/// that is held for a few instructions. A thread sleeps until the earliest timer, fires the expired
/// timers, and gives the jobs that they return to `submit`. The thread is not a worker, so timers
/// fire on time while every worker computes. Without workers there is no such thread either: the
/// thread that runs the jobs fires the timers too.
class timekeeper {
 public:
  using submit_function = void (*)(void* context, job& item);
  /// Returns false when there is nothing to watch over.
  using watch_function = bool (*)(void* context, time_point now);

  /// With a thread. A timer is late by at most one tick of 65.5 us and the time that a wake takes.
  timekeeper(std::size_t shards, submit_function submit, watch_function watch, void* context);

  /// Without a thread. The caller calls fire_due() when first_deadline() has come. `start` is now;
  /// a tick is a nanosecond.
  timekeeper(time_point start, submit_function submit, void* context);

  ~timekeeper();
  timekeeper(const timekeeper&) = delete;
  timekeeper& operator=(const timekeeper&) = delete;

  void arm(std::size_t shard, timer& item, time_point deadline);
  [[nodiscard]] bool disarm(timer& item) noexcept;

  /// Fires the timers that are due by `now`.
  void fire_due(time_point now);

  /// Returns when fire_due() next has something to do, perhaps only moving timers within a wheel.
  /// It is never later than the earliest timer; time_point::max() when there is no timer.
  [[nodiscard]] time_point first_deadline() { return start_of(first_tick()); }

  /// Any thread, when there is something to watch over: from now on the thread calls `watch` every
  /// watch_period, until `watch` has returned false idle_watches times in a row. This call is cheap
  /// during that time.
  void start_watch() noexcept {
    if (!is_watching_.load(std::memory_order_relaxed)) [[unlikely]]
      call_for_watch();
  }

  static constexpr std::chrono::milliseconds watch_period{1};

 private:
  struct shard {
    explicit shard(std::uint64_t now) : wheel(now) {}

    thread_mutex mutex;
    timer_wheel wheel MAGPIE_GUARDED_BY(mutex);
  };

  void loop();
  void call_for_watch() noexcept;
  void keep_watch(time_point now);
  void fire_all(timer_node* expired);
  [[nodiscard]] std::uint64_t first_tick();

  [[nodiscard]] std::uint64_t tick_after(time_point deadline) const noexcept;
  [[nodiscard]] std::uint64_t tick_before(time_point now) const noexcept;
  [[nodiscard]] time_point start_of(std::uint64_t tick) const noexcept;

  static constexpr std::uint64_t is_awake = 0;
  static constexpr std::uint64_t nothing = ~std::uint64_t{0};
  static constexpr std::uint64_t not_known_yet = nothing;

  // The watch ends after this many calls of `watch` in a row that found nothing. So workers that
  // fall asleep and wake again and again do not wake the timekeeper each time.
  static constexpr int idle_watches = 20;

  const unsigned tick_bits_;
  const submit_function submit_;
  const watch_function watch_;  // null without a thread
  void* const context_;
  std::deque<shard> shards_;
  // The tick that the thread sleeps to. The thread alone writes it (release); arm() reads it
  // (acquire).
  //   is_awake: the thread will look through all shards before it sleeps; nobody needs to wake it.
  //   not_known_yet: the thread is looking through the shards; an arm wakes it.
  //   a tick: the thread sleeps, or is about to; an arm with an earlier tick wakes it.
  // The thread moves it is_awake -> not_known_yet -> a tick -> is_awake. Without a thread it stays
  // is_awake, so that no arm makes a call. The thread stores not_known_yet before it looks. An arm
  // that locks a shard after the thread's look at it comes, by the shard's mutex, after that store.
  // So it cannot see the is_awake before it.
  std::atomic<std::uint64_t> sleeping_to_{is_awake};
  // The least tick for which arm() has called the thread since it last lay down, else `nothing`.
  // arm() lowers it before the call; the thread resets it. The thread sleeps no further than this
  // tick, although the timer may be gone. Otherwise a task that sets timeouts one after the other,
  // which are never reached, would wake the thread for each.
  std::atomic<std::uint64_t> called_for_{nothing};
  // The thread's futex word. A caller adds one (release) after the reason for the call; the thread
  // reads it (acquire) before it looks for reasons.
  std::atomic<std::uint32_t> calls_{0};
  // false -> true by start_watch(), which then calls the thread; true -> false by the thread. A
  // busy worker may read a true that is about to turn false. Then its work is not watched over
  // until it next finds work elsewhere. Nothing depends on the watch.
  std::atomic<bool> is_watching_{false};
  int watches_without_work_ = 0;  // for the thread alone
  time_point next_watch_ = time_point::max();
  // false -> true by the destructor (release), before a call; the thread reads it (acquire).
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace magpie::detail
