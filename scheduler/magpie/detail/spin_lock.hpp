#pragma once

#include <atomic>
#include <magpie/detail/pause.hpp>
#include <thread>

namespace magpie::detail {

/// A lock for a few dozen instructions, for which to put a thread to sleep costs a thousand times
/// as much as to wait. Its holder may be preempted, so who waits long gives its processor away.
class spin_lock {
 public:
  void lock() noexcept {
    for (int rounds = 0; is_locked_.exchange(true, std::memory_order_acquire); ++rounds) {
      while (is_locked_.load(std::memory_order_relaxed)) {
        if (++rounds < patience) {
          pause();
        } else {
          std::this_thread::yield();
        }
      }
    }
  }
  void unlock() noexcept { is_locked_.store(false, std::memory_order_release); }

 private:
  static constexpr int patience = 100;

  // false: free. true: held; by the exchange (acquire) of whoever holds it, back to false by its
  // release.
  std::atomic<bool> is_locked_{false};
};

}  // namespace magpie::detail
