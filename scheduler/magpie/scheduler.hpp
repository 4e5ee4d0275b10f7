#pragma once

#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/job.hpp>
#include <magpie/statistics.hpp>
#include <magpie/timer.hpp>
#include <memory>
#include <vector>

namespace magpie::detail {

class worker_pool;

/// A pool of worker threads with its timekeeper: decides where and when jobs run.
class scheduler {
 public:
  struct options {
    std::size_t workers = 1;
    void* owner = nullptr;  // a word for the layer above
  };

  /// Starts the threads. Throws std::system_error when a thread cannot be had, std::bad_alloc.
  explicit scheduler(const options& settings);

  /// Runs what is ready, then stops and joins the threads. No other thread may still submit.
  ~scheduler();

  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;

  /// Any thread: makes `item` ready, on the calling worker's lane or, from elsewhere, on a shared
  /// one. What the caller wrote before is visible to the job.
  void submit(job& item);

  /// Any thread: submits `item.target` once `deadline` has passed, never before.
  void arm(timer& item, time_point deadline);

  /// Any thread: true when `item` was still armed; then its job will not come.
  [[nodiscard]] bool disarm(timer& item) noexcept;

  /// Submits the jobs of all armed timers now, with outcome `flushed`, and from now on those of
  /// timers that are armed later at once.
  void flush_timers();

  [[nodiscard]] std::size_t worker_count() const noexcept;
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
