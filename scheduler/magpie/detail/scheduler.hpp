#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/job.hpp>
#include <magpie/detail/timer.hpp>
#include <magpie/statistics.hpp>
#include <memory>
#include <vector>

namespace magpie::detail {

class worker_pool;

/// Where a worker's thread may run.
enum class pinning { none, one_processor_each };

/// A pool of worker threads with its timekeeper: decides where and when jobs run.
class scheduler {
 public:
  /// What is told of a worker that has been running one job for at least `limit`, once for each
  /// such run, on the timekeeper's thread: the worker's word, see worker::context(), as it was a
  /// moment ago.
  struct long_run_watch {
    using function = void (*)(void* owner, void* context, duration so_far);

    duration limit = duration::max();
    function report = nullptr;
  };

  /// How a scheduler is driven that has no workers.
  struct driving {
    time_source time = real_time;
    // 0: jobs run in the order in which a worker would run them; else in one that it decides.
    std::uint64_t seed = 0;
    // Called with the owner on any thread when something has come in, or may, and nobody drives.
    void (*ring)(void* owner) noexcept = nullptr;
  };

  struct options {
    std::size_t workers = 1;  // 0: none, and no timekeeper; run_one() and run_until() do their work
    driving driven = {};
    pinning where = pinning::none;
    void* owner = nullptr;  // a word for the layer above
    long_run_watch long_runs = {};
  };

  /// Starts the threads. Throws std::system_error when a thread cannot be had, std::bad_alloc.
  explicit scheduler(const options& settings);

  /// Runs what is ready, then stops and joins the threads. No other thread may still submit.
  ~scheduler();

  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;

  /// Any thread: makes `item` ready, on the calling worker's lane or, from elsewhere, on a shared
  /// one. What the caller wrote before is visible to the job. Allocates, if at all, what it can do
  /// without.
  void submit(job& item) noexcept;

  /// The same for a job that the caller's own work has made possible, to run next on its worker.
  void wake(job& item) noexcept;

  /// submit() for jobs linked by `next`, in order; from a worker with one wake-up for all.
  void submit_all(job& first) noexcept;

  /// The calling thread's worker, when it is one of this scheduler's.
  [[nodiscard]] worker* worker_here() const noexcept;

  /// Any thread: fires `item` once `deadline` has passed, never before.
  void arm(timer& item, time_point deadline);

  /// Any thread: true when `item` was still armed; then it will not fire. False when it has fired,
  /// or is about to.
  [[nodiscard]] bool disarm(timer& item) noexcept;

  /// Fires all armed timers now, with outcome `flushed`, and from now on those that are armed later
  /// at once.
  void flush_timers();

  // Without workers. One thread at a time, which is no worker; it is one meanwhile.

  /// Runs one job that is ready. False when there is none; only after that, and until the next
  /// call, `ring` is called.
  [[nodiscard]] bool run_one();

  struct run_limits {
    std::function<bool()> is_over;      // looked at before each job
    std::function<bool()> is_expected;  // whether other threads are at work for this scheduler
    time_point deadline = time_point::max();
  };
  enum class end_of_run { over, deadline, deadlock };

  /// Runs jobs and fires timers, and sleeps between them, until is_over() says so or the deadline
  /// has passed. With virtual time, whose jumps take the place of sleep, a `deadlock` when there
  /// will never be anything to do.
  [[nodiscard]] end_of_run run_until(const run_limits& limits);

  /// Not after the next timer is due; time_point::max() when there is none.
  [[nodiscard]] time_point next_deadline();

  // All schedulers.

  [[nodiscard]] time_point now() const noexcept;

  /// 0 when there are none.
  [[nodiscard]] std::size_t worker_count() const noexcept;
  /// Those that worker::index() tells apart: one when there are no workers, for who drives.
  [[nodiscard]] std::size_t lane_count() const noexcept;
  [[nodiscard]] std::vector<worker_statistics> statistics() const;
  [[nodiscard]] void* owner() const noexcept { return owner_; }

 private:
  friend class worker;

  void* const owner_;
  const std::unique_ptr<worker_pool> pool_;
};

/// How many workers a process may keep busy: the CPUs of its affinity mask, or fewer when a cgroup
/// quota, its own or an ancestor's, allows less (rounded up). At least 1.
[[nodiscard]] std::size_t available_processors();

}  // namespace magpie::detail
