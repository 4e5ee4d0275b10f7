#pragma once

#include <sched.h>

#include <cstddef>
#include <deque>
#include <list>
#include <magpie/detail/pool_job.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/thread_mutex.hpp>
#include <thread>

namespace magpie::detail {

/// Threads for what would keep a worker: calls that block. A job that finds no idle thread starts
/// one, up to `most` threads; further jobs wait in order. A thread that has had nothing to do for a
/// while ends.
class blocking_pool {
 public:
  /// The threads may run on the processors on which the calling thread may run. `name` is theirs,
  /// of static storage duration, at most 15 characters.
  blocking_pool(std::size_t most, const char* name);

  /// No thread submits any more. Waits for the jobs that are queued or still run, and joins the
  /// threads.
  ~blocking_pool();

  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  /// Queues `job` for one of the threads. Throws std::system_error if the pool has no thread and
  /// cannot start one, and std::bad_alloc. Then the job is not run.
  void submit(pool_job& job);

  /// Returns how many jobs are queued or running. Not for the pool's own threads.
  [[nodiscard]] std::size_t job_count();

  /// Blocks until no job is queued or running, or the deadline has passed. Returns how many still
  /// are.
  [[nodiscard]] std::size_t wait_until_idle(time_point deadline);

  /// Takes a submitted job out of the queue. Returns false if a thread has it, or had it.
  [[nodiscard]] bool withdraw(pool_job& job) noexcept;

 private:
  void loop(std::list<std::thread>::iterator self);
  /// Waits for a job and takes it out of the queue. Returns null if the thread is to end.
  [[nodiscard]] pool_job* next_job(std::list<std::thread>::iterator self);

  [[nodiscard]] std::size_t busy() const noexcept MAGPIE_REQUIRES(mutex_) {
    return queued_ + threads_.size() - idle_;
  }
  void unlink(pool_job& queued) noexcept MAGPIE_REQUIRES(mutex_);
  void start_thread() MAGPIE_REQUIRES(mutex_);

  static constexpr std::chrono::seconds keep_alive{10};

  const std::size_t most_;
  const char* const name_;
  cpu_set_t processors_;  // else a thread would inherit those of a pinned worker
  thread_mutex mutex_;
  thread_condition arrival_;
  thread_condition idleness_;
  pool_job* first_ MAGPIE_GUARDED_BY(mutex_) = nullptr;
  pool_job* last_ MAGPIE_GUARDED_BY(mutex_) = nullptr;
  std::size_t queued_ MAGPIE_GUARDED_BY(mutex_) = 0;
  std::size_t idle_ MAGPIE_GUARDED_BY(mutex_) = 0;
  std::list<std::thread> threads_ MAGPIE_GUARDED_BY(mutex_);
  // About to return from loop(), to be joined.
  std::list<std::thread> ended_ MAGPIE_GUARDED_BY(mutex_);
  bool stopping_ MAGPIE_GUARDED_BY(mutex_) = false;
};

}  // namespace magpie::detail
