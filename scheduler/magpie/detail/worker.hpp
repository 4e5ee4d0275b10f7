#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/fork_lane.hpp>
#include <magpie/detail/idle_word.hpp>
#include <magpie/detail/job.hpp>
#include <magpie/detail/this_thread.hpp>

namespace magpie::detail {

class forked_call;
class scheduler;

using fork_lane = basic_fork_lane<job>;

/// A worker, as the code that it runs sees it. All members but current() are for the worker's own
/// thread.
class worker : public thread_record {
 public:
  /// The worker whose thread this is, or null on any other thread. Not to be kept across a
  /// co_await, after which the coroutine may be on another thread.
  [[nodiscard]] static worker* current() noexcept {
    thread_record& record = thread_record::current();
    return record.is_worker ? static_cast<worker*>(&record) : nullptr;
  }

  /// The same where it is known that this is a worker's thread.
  [[nodiscard]] static worker& here() noexcept {
    return static_cast<worker&>(thread_record::current());
  }

  /// Offers `item` to thieves until unfork() takes it back, or this worker's own loop takes it.
  /// The fast half of it: when it does not say `calm`, the caller calls settle_fork() with what it
  /// says. They are two so that the second can be a tail call.
  [[nodiscard, gnu::always_inline]] fork_lane::push_result fork(job& item) noexcept {
    const auto result = forks_.push(item);
    if (result != fork_lane::push_result::calm) [[unlikely]]
      return result;
    // The light half of park()'s heavy fence. Where fences are symmetric no push is calm, and
    // settle_fork() looks at the word behind a fence.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return idle_word::wants_waking(idle_.load(std::memory_order_relaxed))
               ? fork_lane::push_result::marked
               : fork_lane::push_result::calm;
  }

  /// False when there was no memory to offer `item`, and it has not been offered.
  [[nodiscard]] bool settle_fork(job& item, fork_lane::push_result so_far) noexcept;

  /// Takes `item` back if no thief has it. Forks and unforks nest. When it says `marked`, the
  /// caller asks settle_unfork().
  [[nodiscard, gnu::always_inline]] fork_lane::pop_if_result unfork(const job& item) noexcept {
    return forks_.pop_if(item);
  }

  /// Whether `item` was there.
  [[nodiscard]] bool settle_unfork() noexcept;

  /// Returns when a thief has made `call`, which unfork() did not give back. Meanwhile helps that
  /// thief and nobody else, so that this thread's stack holds nothing that the serial program's
  /// would not hold (D. Wagner and B. Calder, Leapfrogging, PPoPP 1993).
  void wait_for(forked_call& call) noexcept;

  /// Puts `item` at the end of this worker's ready lane.
  void make_ready(job& item) noexcept;

  /// Makes `item` ready to run next, as long as the others do not have to wait too long for that:
  /// what the running task has prepared for it is still in this processor's cache.
  void make_ready_next(job& item) noexcept;

  /// make_ready() for jobs linked by `next`, in order, with one wake-up for all.
  void make_ready_all(job& first) noexcept;

  /// Jobs have been ready for a millisecond or more while this one ran. Says so once for each time
  /// that the timekeeper has noticed it.
  [[nodiscard]] bool has_others_waiting() noexcept {
    if (!attention_.load(std::memory_order_relaxed)) [[likely]]
      return false;
    attention_.store(false, std::memory_order_relaxed);
    return true;
  }

  [[nodiscard]] scheduler& home() const noexcept { return home_; }
  [[nodiscard]] std::size_t index() const noexcept { return index_; }

  /// One word for the layer above: what the code that runs now is a part of; null for nothing. Each
  /// job that resumes something sets it first. Other threads may read it, and learn what was true a
  /// moment ago.
  [[nodiscard]] void* context() const noexcept { return context_.load(std::memory_order_relaxed); }
  void set_context(void* running) noexcept { context_.store(running, std::memory_order_relaxed); }

 protected:
  worker(scheduler& home, std::size_t index, const std::atomic<std::int64_t>& idle) noexcept
      : home_(home), index_(index), idle_(idle) {
    is_worker = true;
  }
  ~worker() = default;

  fork_lane forks_;
  // false -> true by the timekeeper, -> false by this worker. It orders nothing: who misses it is
  // asked again.
  std::atomic<bool> attention_{false};

 private:
  std::atomic<void*> context_{nullptr};  // written by this worker only
  scheduler& home_;
  const std::size_t index_;
  const std::atomic<std::int64_t>& idle_;
};

}  // namespace magpie::detail
