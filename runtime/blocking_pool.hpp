#pragma once

#include <sched.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <list>
#include <magpie/run_blocking.hpp>
#include <mutex>
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
  [[nodiscard]] std::size_t busy() const noexcept { return queued_ + threads_.size() - idle_; }
  void loop(std::list<std::thread>::iterator self);
  void unlink(blocking_call_base& queued) noexcept;
  void start_thread();

  static constexpr std::chrono::seconds keep_alive{10};

  const std::size_t most_;
  cpu_set_t processors_;  // else a thread would inherit those of a pinned worker
  std::mutex mutex_;      // guards all below
  std::condition_variable arrival_;
  std::condition_variable idleness_;
  blocking_call_base* first_ = nullptr;
  blocking_call_base* last_ = nullptr;
  std::size_t queued_ = 0;
  std::size_t idle_ = 0;
  std::list<std::thread> threads_;
  std::list<std::thread> ended_;  // about to return from loop(), to be joined
  bool stopping_ = false;
};

}  // namespace magpie::detail
