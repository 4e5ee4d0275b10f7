#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <magpie/clock.hpp>
#include <magpie/detail/timer.hpp>
#include <mutex>
#include <thread>

#include "scheduler/timer_wheel.hpp"

namespace magpie::detail {

/// All that time drives. Timers lie in shards, one for each worker, each a wheel under a lock that
/// is held for a few instructions; a thread sleeps until the earliest of them, fires the expired
/// ones and hands the jobs that they give to `submit`. Because it is no worker, timers fire on time
/// while every worker computes. Where there are no workers there is no such thread either: whoever
/// runs the jobs fires the timers, too.
class timekeeper {
 public:
  using submit_function = void (*)(void* context, job& item);
  /// False when there is nothing to watch over.
  using watch_function = bool (*)(void* context, time_point now);

  /// With a thread. A timer is late by at most one tick of 65.5 us and the time that it takes to
  /// wake.
  timekeeper(std::size_t shards, submit_function submit, watch_function watch, void* context);

  /// Without one: for fire_due(), which is called when first_deadline() has come. `start` is now,
  /// and a tick a nanosecond.
  timekeeper(time_point start, submit_function submit, void* context);

  ~timekeeper();
  timekeeper(const timekeeper&) = delete;
  timekeeper& operator=(const timekeeper&) = delete;

  void arm(std::size_t shard, timer& item, time_point deadline);
  [[nodiscard]] bool disarm(timer& item) noexcept;
  void flush();

  /// Fires what is due by `now`.
  void fire_due(time_point now);

  /// When fire_due() has something to do next, if only to find out more: never later than the
  /// earliest timer. time_point::max() when there is none.
  [[nodiscard]] time_point first_deadline() { return start_of(first_tick()); }

  /// Any thread, when there is something to watch over: from now on `watch` is called every
  /// watch_period, until it has said for a while that there is nothing. Cheap while that goes on.
  void start_watch() noexcept {
    if (!is_watching_.load(std::memory_order_relaxed)) [[unlikely]]
      call_for_watch();
  }

  static constexpr std::chrono::milliseconds watch_period{1};

 private:
  struct shard {
    explicit shard(std::uint64_t now) : wheel(now) {}

    std::mutex mutex;
    timer_wheel wheel;     // guarded by mutex
    bool flushed = false;  // guarded by mutex
  };

  void loop();
  void call_for_watch() noexcept;
  void keep_watch(time_point now);
  void hand_on(timer_node* expired, timer::state outcome);
  void fire(timer& due, timer::state outcome);
  [[nodiscard]] std::uint64_t first_tick();

  [[nodiscard]] std::uint64_t tick_after(time_point deadline) const noexcept;
  [[nodiscard]] std::uint64_t tick_before(time_point now) const noexcept;
  [[nodiscard]] time_point start_of(std::uint64_t tick) const noexcept;

  static constexpr std::uint64_t is_awake = 0;
  static constexpr std::uint64_t nothing = ~std::uint64_t{0};
  static constexpr std::uint64_t not_known_yet = nothing;

  // So many calls of `watch` in a row must find nothing before it ends: workers that fall asleep
  // and wake again and again do not wake the timekeeper each time.
  static constexpr int idle_watches = 20;

  const unsigned tick_bits_;
  const submit_function submit_;
  const watch_function watch_;  // null without a thread
  void* const context_;
  std::deque<shard> shards_;
  // The tick that the thread sleeps to. Written by the thread only; without one it stays is_awake,
  // so that nobody calls it. is_awake: it will look through
  // all shards before it sleeps, nobody needs to wake it. not_known_yet: it is looking, whoever
  // arms a timer wakes it. An arm that comes after the thread's look at its shard has, by the
  // shard's mutex, also the store before that look behind it, so it cannot see is_awake.
  std::atomic<std::uint64_t> sleeping_to_{is_awake};
  // The least tick for which the thread was called since it last lay down, else `nothing`; lowered
  // by arm() before the call. The thread sleeps no further than that although the timer may be
  // gone: who sets timeouts that are never reached, one after the other, would wake it for each.
  std::atomic<std::uint64_t> called_for_{nothing};
  // Futex word of the thread; grows by one whenever it must look again.
  std::atomic<std::uint32_t> calls_{0};
  // false -> true by start_watch(), followed by a call; -> false by the thread. A worker that is
  // busy and reads a true that is about to turn false has work that is not watched over until it
  // next finds work elsewhere: the watch is a comfort, nothing depends on it.
  std::atomic<bool> is_watching_{false};
  int watches_without_work_ = 0;  // the thread's own
  time_point next_watch_ = time_point::max();
  std::atomic<bool> stopping_{false};  // false -> true by the destructor, before a call
  std::thread thread_;
};

}  // namespace magpie::detail
