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

/// The processors that a worker's thread may run on.
enum class pinning { none, one_processor_each };

/// A pool of worker threads and its timekeeper. It decides where and when jobs run.
class scheduler {
 public:
  /// Reports a worker that has been running one job for at least `limit`. The timekeeper's thread
  /// calls `report` once for each such run, with the worker's context as it was a moment ago: see
  /// worker::context().
  struct long_run_watch {
    using function = void (*)(void* owner, void* context, duration so_far);

    duration limit = duration::max();
    function report = nullptr;
  };

  /// How a scheduler without workers is driven.
  struct driving {
    time_source time = real_time;
    // 0: jobs run in the order in which a worker would run them. Else a generator that begins with
    // this number decides the order.
    std::uint64_t seed = 0;
    // Called with the owner, on any thread, when a job or a timer may have come in while the driver
    // sleeps: after run_one() has returned false, or inside run_until().
    void (*ring)(void* owner) noexcept = nullptr;
  };

  struct options {
    // 0: no workers and no timekeeper; then run_one() and run_until() do their work.
    std::size_t workers = 1;
    driving driven = {};
    pinning where = pinning::none;
    void* owner = nullptr;  // a word for the layer above
    long_run_watch long_runs = {};
  };

  /// Starts the threads. Throws std::system_error when a thread cannot be started, and
  /// std::bad_alloc.
  explicit scheduler(const options& settings);

  /// Runs all ready jobs, then stops and joins the threads. No other thread may still submit.
  ~scheduler();

  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;

  /// Any thread: makes `item` ready. It goes into the ready lane of the calling worker or, from
  /// another thread, into a shared lane. The job sees what the caller wrote before. If the queue
  /// has no memory for the job, it goes into a list that needs none.
  void submit(job& item) noexcept;

  /// Like submit(), for a job that the caller's work has just made possible: it runs next on the
  /// caller's worker.
  void wake(job& item) noexcept;

  /// Calls submit() for jobs linked by `next`, in order. From a worker, one wake-up serves all of
  /// them.
  void submit_all(job& first) noexcept;

  /// Returns the calling thread's worker if it belongs to this scheduler, else null.
  [[nodiscard]] worker* worker_here() const noexcept;

  /// Any thread: fires `item` once `deadline` has passed.
  void arm(timer& item, time_point deadline);

  /// Any thread: disarms `item`. Returns true when it was still armed: it will not fire. Returns
  /// false when it has fired or is about to fire.
  [[nodiscard]] bool disarm(timer& item) noexcept;

  // For a scheduler without workers. One thread at a time calls these. It must not be a worker;
  // during the call it acts as the one worker.

  /// Runs one ready job. Returns false when there is none; from then until the next call, the
  /// scheduler calls `ring` when a job or a timer comes in.
  [[nodiscard]] bool run_one();

  struct run_limits {
    std::function<bool()> is_over;      // called before each job
    std::function<bool()> is_expected;  // whether other threads still work for this scheduler
    time_point deadline = time_point::max();
  };
  enum class end_of_run { over, deadline, deadlock };

  /// Runs jobs, fires timers, and sleeps between them, until is_over() returns true or the deadline
  /// has passed. With virtual time it jumps instead of sleeping. It then returns `deadlock` when
  /// nothing is ready, is_expected() returns false, and neither a timer nor a deadline is left.
  [[nodiscard]] end_of_run run_until(const run_limits& limits);

  /// Returns a time not later than the next timer's deadline; time_point::max() when there is no
  /// timer.
  [[nodiscard]] time_point next_deadline();

  // For all schedulers.

  [[nodiscard]] time_point now() const noexcept;

  /// The number of workers: 0 for a scheduler without workers.
  [[nodiscard]] std::size_t worker_count() const noexcept;
  /// The number of different values of worker::index(). It is 1 for a scheduler without workers:
  /// the driving thread has index 0.
  [[nodiscard]] std::size_t lane_count() const noexcept;
  [[nodiscard]] std::vector<worker_statistics> statistics() const;
  [[nodiscard]] void* owner() const noexcept { return owner_; }

 private:
  friend class worker;

  void* const owner_;
  const std::unique_ptr<worker_pool> pool_;
};

/// Returns how many workers the process may keep busy: the CPUs in its affinity mask, or fewer when
/// a cgroup quota, its own or an ancestor's, allows less (rounded up). At least 1.
[[nodiscard]] std::size_t available_processors();

}  // namespace magpie::detail
