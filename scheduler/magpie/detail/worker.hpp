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

/// A worker, as seen by the code that it runs. All members are for the worker's own thread, except
/// current(), context(), home() and index(), which any thread may call.
class worker : public thread_record {
 public:
  /// Returns the worker whose thread this is, or null on any other thread. Do not keep the result
  /// across a co_await: afterwards the coroutine may be on another thread.
  [[nodiscard]] static worker* current() noexcept {
    thread_record& record = thread_record::current();
    return record.is_worker ? static_cast<worker*>(&record) : nullptr;
  }

  /// The same for a caller that is known to be on a worker's thread.
  [[nodiscard]] static worker& here() noexcept {
    return static_cast<worker&>(thread_record::current());
  }

  /// Offers `item` to thieves, until unfork() takes it back or this worker's own loop takes it.
  /// This is the fast half: unless it returns `calm`, the caller must call settle_fork() with the
  /// result. The halves are separate so that the second can be a tail call.
  [[nodiscard, gnu::always_inline]] fork_lane::push_result fork(job& item) noexcept {
    const auto result = forks_.push(item);
    if (result != fork_lane::push_result::calm) [[unlikely]]
      return result;
    // The light half of park()'s heavy fence. Where fences are symmetric no push is calm, and
    // settle_fork() reads the word after a fence.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return idle_word::wants_waking(idle_.load(std::memory_order_relaxed))
               ? fork_lane::push_result::marked
               : fork_lane::push_result::calm;
  }

  /// The second half of fork(). Returns false when there was no memory to offer `item`; then it is
  /// not offered.
  [[nodiscard]] bool settle_fork(job& item, fork_lane::push_result so_far) noexcept;

  /// Takes `item` back if no thief has it. Forks and unforks nest. If it returns `marked`, the
  /// caller must call settle_unfork().
  [[nodiscard, gnu::always_inline]] fork_lane::pop_if_result unfork(const job& item) noexcept {
    return forks_.pop_if(item);
  }

  /// The second half of unfork(). Returns whether `item` was still in the fork lane.
  [[nodiscard]] bool settle_unfork() noexcept;

  /// Waits until a thief has run `call`, which unfork() did not give back. While it waits, this
  /// worker helps that thief and no other. So this thread's stack holds nothing that the serial
  /// program's stack would not hold (D. Wagner and B. Calder, Leapfrogging, PPoPP 1993).
  void wait_for(forked_call& call) noexcept;

  /// Puts `item` at the end of this worker's ready lane.
  void make_ready(job& item) noexcept;

  /// Puts `item` into the slot, so that it runs next: what the running task has prepared for it is
  /// still in this processor's cache. If the slot is full, or has been used so often that other
  /// jobs would wait too long, `item` goes to the end of the ready lane.
  void make_ready_next(job& item) noexcept;

  /// Calls make_ready() for jobs linked by `next`, in order, with one wake-up for all.
  void make_ready_all(job& first) noexcept;

  /// Returns true when other jobs have been ready for a millisecond or more while the current job
  /// ran: once for each time that the timekeeper has noticed it. Without workers the driver notices
  /// nothing; it assumes that others wait, anew for each job.
  [[nodiscard]] bool has_others_waiting() noexcept {
    if (!attention_.load(std::memory_order_relaxed)) [[likely]]
      return false;
    attention_.store(false, std::memory_order_relaxed);
    return true;
  }

  [[nodiscard]] scheduler& home() const noexcept { return home_; }
  [[nodiscard]] std::size_t index() const noexcept { return index_; }

  /// One word for the layer above: what the running code is a part of, or null. Each job that
  /// resumes something sets it first. Another thread may read it; it sees what was true a moment
  /// ago.
  [[nodiscard]] void* context() const noexcept { return context_.load(std::memory_order_relaxed); }
  void set_context(void* running) noexcept { context_.store(running, std::memory_order_relaxed); }

 protected:
  worker(scheduler& home, std::size_t index, const std::atomic<std::int64_t>& idle)
      : home_(home), index_(index), idle_(idle) {
    is_worker = true;
  }
  ~worker() = default;

  fork_lane forks_;
  // false -> true by the timekeeper, or by the driver of a scheduler without workers; true -> false
  // by this worker. It orders nothing: the timekeeper sets it again if the worker misses it.
  std::atomic<bool> attention_{false};

 private:
  std::atomic<void*> context_{nullptr};  // this worker alone writes it; relaxed
  scheduler& home_;
  const std::size_t index_;
  const std::atomic<std::int64_t>& idle_;
};

}  // namespace magpie::detail
