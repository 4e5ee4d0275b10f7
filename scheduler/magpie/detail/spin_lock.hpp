#pragma once

#include <atomic>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/pause.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <thread>

namespace magpie::detail {

/// The wait of a thread until another thread has executed a few instructions. The other thread may
/// have been preempted, so after some rounds the waiting thread yields its processor in each round.
class spin_wait {
 public:
  void once() noexcept {
    if (++rounds_ < patience) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }

 private:
  static constexpr int patience = 100;

  int rounds_ = 0;
};

/// A lock that is held for a few dozen instructions. To put a thread to sleep for that long would
/// cost a thousand times as much as the wait.
class MAGPIE_LOCK spin_lock {
 public:
  void lock() noexcept MAGPIE_ACQUIRES() {
    for (spin_wait waiting; is_locked_.exchange(true, std::memory_order_acquire);) {
      while (is_locked_.load(std::memory_order_relaxed)) waiting.once();
    }
  }
  void unlock() noexcept MAGPIE_RELEASES() { is_locked_.store(false, std::memory_order_release); }

 private:
  // false: free. true: held.
  // false -> true by the thread that takes the lock (acquire); true -> false by its holder
  // (release).
  std::atomic<bool> is_locked_{false};
};

}  // namespace magpie::detail
