#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/fork_lane.hpp>
#include <magpie/idle_word.hpp>
#include <magpie/job.hpp>

namespace magpie::detail {

class scheduler;

using fork_lane = basic_fork_lane<job>;

/// A worker, as the code that it runs sees it. All members but current() are for the worker's own
/// thread.
class worker {
 public:
  /// The worker whose thread this is, or null on any other thread. A coroutine may continue on
  /// another thread after each suspension, and compilers like to keep what they once read from
  /// thread-local storage: so this call is opaque, and its result is not kept across a co_await.
  [[nodiscard]] static worker* current() noexcept;

  /// Offers `item` to thieves until unfork() takes it back. False when there is no memory: then it
  /// is not offered.
  [[nodiscard]] bool fork(job& item) noexcept {
    if (!forks_.push(item)) [[unlikely]]
      return false;
    // The light half of park()'s heavy fence. Without membarrier the look below may miss a worker
    // that is just falling asleep; then the item waits for the next fork, or for this worker.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (idle_word::wants_waking(idle_.load(std::memory_order_relaxed))) [[unlikely]]
      wake_thief();
    return true;
  }

  /// Takes `item` back if no thief has it. Forks and unforks nest.
  [[nodiscard]] bool unfork(const job& item) noexcept { return forks_.pop_if(item); }

  /// Puts `item` at the end of this worker's ready lane.
  void make_ready(job& item);

  [[nodiscard]] scheduler& home() const noexcept { return home_; }
  [[nodiscard]] std::size_t index() const noexcept { return index_; }

  /// One word for the layer above: the task that runs now, whatever that is. Each job that resumes
  /// a task sets it first.
  void* task = nullptr;

 protected:
  worker(scheduler& home, std::size_t index, const std::atomic<std::uint64_t>& idle) noexcept
      : home_(home), index_(index), idle_(idle) {}
  ~worker() = default;

  fork_lane forks_;

 private:
  void wake_thief() noexcept;

  scheduler& home_;
  const std::size_t index_;
  const std::atomic<std::uint64_t>& idle_;
};

}  // namespace magpie::detail
