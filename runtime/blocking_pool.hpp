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

/// The threads for calls that block: started when a call finds none idle, up to `most`, and ended
/// when they have had nothing to do for a while. Calls beyond `most` wait in order.
class blocking_pool {
 public:
  /// The threads may run where the calling thread may.
  explicit blocking_pool(std::size_t most);

  /// Every task has ended, so that no call is in the queue; waits for those that still run though
  /// nobody awaits them, and joins the threads.
  ~blocking_pool();

  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  /// Has `call` made by one of the threads. Throws std::system_error when the pool has no thread
  /// and cannot start one; then the call is not made.
  void submit(blocking_call_base& call);

  /// False when every call that was submitted has been made, and its task is ready again. Not for
  /// the pool's own threads.
  [[nodiscard]] bool is_busy();

  /// Blocks until that is so, or the deadline has passed; returns how many calls have not been
  /// made.
  [[nodiscard]] std::size_t wait_until_idle(time_point deadline);

  /// Takes a submitted call out of the queue; false when a thread has it, or had it.
  [[nodiscard]] bool withdraw(blocking_call_base& call) noexcept;

 private:
  [[nodiscard]] std::size_t busy() const noexcept { return queued_ + threads_.size() - idle_; }
  void loop(std::list<std::thread>::iterator self);
  void unlink(blocking_call_base& queued) noexcept;
  void start_thread();

  static constexpr std::chrono::seconds keep_alive{10};

  const std::size_t most_;
  cpu_set_t
      processors_;    // a thread inherits those of whoever starts it, which may be a pinned worker
  std::mutex mutex_;  // guards all below
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
