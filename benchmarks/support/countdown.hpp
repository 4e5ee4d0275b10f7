#pragma once

#include <atomic>
#include <cstdint>
#include <semaphore>

namespace bench {

/// Tasks that are still to run, and the thread that waits for the last of them.
class countdown {
 public:
  explicit countdown(std::int64_t count) noexcept : left_(count) {}

  /// By each task, as the last thing that it does.
  void one_ended() noexcept {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) all_ended_.release();
  }

  void wait() noexcept { all_ended_.acquire(); }

 private:
  // From the number of tasks down to 0, by fetch_sub(acq_rel): the last task has all others' work
  // behind it.
  std::atomic<std::int64_t> left_;
  std::binary_semaphore all_ended_{0};
};

}  // namespace bench
