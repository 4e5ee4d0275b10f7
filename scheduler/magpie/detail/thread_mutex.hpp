#pragma once

#include <condition_variable>
#include <magpie/clock.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <mutex>

namespace magpie::detail {

/// std::mutex, in words that the thread-safety analysis understands. A thread that waits for it is
/// blocked, so it is for what tasks do not wait for.
class MAGPIE_LOCK thread_mutex {
 public:
  void lock() MAGPIE_ACQUIRES() { mutex_.lock(); }
  void unlock() noexcept MAGPIE_RELEASES() { mutex_.unlock(); }

 private:
  friend class thread_condition;

  std::mutex mutex_;
};

/// std::condition_variable for a mutex that the caller holds. The mutex is released during a wait
/// and held again after it.
class thread_condition {
 public:
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

  /// Waits for a notification. May return without one, so the caller looks again.
  void wait(thread_mutex& held) MAGPIE_REQUIRES(held) {
    std::unique_lock lock(held.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  /// The same, but no longer than until the deadline. Returns false once that has passed.
  [[nodiscard]] bool wait_until(thread_mutex& held, time_point deadline) MAGPIE_REQUIRES(held) {
    std::unique_lock lock(held.mutex_, std::adopt_lock);
    const bool is_in_time = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return is_in_time;
  }
  /// The same with a time limit.
  [[nodiscard]] bool wait_for(thread_mutex& held, duration limit) MAGPIE_REQUIRES(held) {
    return wait_until(held, clock::now() + limit);
  }

 private:
  std::condition_variable condition_;
};

}  // namespace magpie::detail
