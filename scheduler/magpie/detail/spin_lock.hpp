#pragma once

#include <atomic>
#include <magpie/detail/pause.hpp>
#include <thread>

namespace magpie::detail {

/// The rounds of a thread that waits for another thread's few instructions. That thread may have
/// been preempted, so after some rounds the waiting thread gives its processor away in each.
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
class spin_lock {
 public:
  void lock() noexcept {
    for (spin_wait waiting; is_locked_.exchange(true, std::memory_order_acquire);) {
      while (is_locked_.load(std::memory_order_relaxed)) waiting.once();
    }
  }
  void unlock() noexcept { is_locked_.store(false, std::memory_order_release); }

 private:
  // false: free; true: held. A thread that exchanges false for true (acquire) holds the lock until
  // it stores false (release).
  std::atomic<bool> is_locked_{false};
};

}  // namespace magpie::detail
