#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace treesum {

/// Something that happens once, for threads that wait for it no longer than they like.
class completion {
 public:
  void set() {
    // Under the lock: the waiter may destroy this as soon as it sees the flag.
    const std::lock_guard lock(mutex_);
    happened_ = true;
    changed_.notify_all();
  }

  [[nodiscard]] bool wait_for(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return happened_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool happened_ = false;
};

}  // namespace treesum
