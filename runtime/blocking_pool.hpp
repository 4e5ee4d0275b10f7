#pragma once

#include <sched.h>

#include <cstddef>
#include <deque>
#include <list>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/thread_mutex.hpp>
#include <magpie/run_blocking.hpp>
#include <thread>

namespace magpie::detail {

/// The threads for calls that block. A call that finds no idle thread starts one, up to `most`
/// threads; further calls wait in order. A thread that has had nothing to do for a while ends.
class blocking_pool {
 public:
  /// The threads may run on the processors on which the calling thread may run.
  explicit blocking_pool(std::size_t most);

  /// Every task must have ended, so no call is in the queue. Waits for the calls that still run
  /// although no task awaits them, and joins the threads.
  ~blocking_pool();

  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  /// Queues `call` for one of the threads. Throws std::system_error if the pool has no thread and
  /// cannot start one, and std::bad_alloc. Then the call is not made.
  void submit(blocking_call_base& call);

  /// Returns false if every call that was submitted has been made and its task is ready again. Not
  /// for the pool's own threads.
  [[nodiscard]] bool is_busy();

  /// Blocks until that is so, or the deadline has passed. Returns how many calls are still queued
  /// or running.
  [[nodiscard]] std::size_t wait_until_idle(time_point deadline);

  /// Takes a submitted call out of the queue. Returns false if a thread has it, or had it.
  [[nodiscard]] bool withdraw(blocking_call_base& call) noexcept;

 private:
  void loop(std::list<std::thread>::iterator self);
  /// Waits for a call and takes it out of the queue. Returns null if the thread is to end.
  [[nodiscard]] blocking_call_base* next_call(std::list<std::thread>::iterator self);

  [[nodiscard]] std::size_t busy() const noexcept MAGPIE_REQUIRES(mutex_) {
    return queued_ + threads_.size() - idle_;
  }
  void unlink(blocking_call_base& queued) noexcept MAGPIE_REQUIRES(mutex_);
  void start_thread() MAGPIE_REQUIRES(mutex_);

  static constexpr std::chrono::seconds keep_alive{10};

  const std::size_t most_;
  cpu_set_t processors_;  // else a thread would inherit those of a pinned worker
  thread_mutex mutex_;
  thread_condition arrival_;
  thread_condition idleness_;
  blocking_call_base* first_ MAGPIE_GUARDED_BY(mutex_) = nullptr;
  blocking_call_base* last_ MAGPIE_GUARDED_BY(mutex_) = nullptr;
  std::size_t queued_ MAGPIE_GUARDED_BY(mutex_) = 0;
  std::size_t idle_ MAGPIE_GUARDED_BY(mutex_) = 0;
  std::list<std::thread> threads_ MAGPIE_GUARDED_BY(mutex_);
  // About to return from loop(), to be joined.
  std::list<std::thread> ended_ MAGPIE_GUARDED_BY(mutex_);
  bool stopping_ MAGPIE_GUARDED_BY(mutex_) = false;
};

}  // namespace magpie::detail
