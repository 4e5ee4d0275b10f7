#pragma once

#include <deque>
#include <magpie/detail/futex.hpp>
#include <magpie/detail/scheduler.hpp>
#include <memory>
#include <vector>

#include "scheduler/driver.hpp"
#include "scheduler/idle.hpp"
#include "scheduler/ready_queue.hpp"
#include "scheduler/timekeeper.hpp"
#include "scheduler/worker_thread.hpp"

namespace magpie::detail {

/// A parker whose unpark() also rings. Without workers the sleeper is the driver, whose thread may
/// be outside of the scheduler, in the host's own loop: the ring wakes the host.
class bell : public parker {
 public:
  void set_ring(void (*ring)(void*) noexcept, void* context) noexcept {
    ring_ = ring;
    context_ = context;
  }

  void unpark() noexcept {
    parker::unpark();
    if (ring_ != nullptr) ring_(context_);
  }

 private:
  void (*ring_)(void*) noexcept = nullptr;
  void* context_ = nullptr;
};

using idle = basic_idle<bell>;

/// What the workers of one scheduler share.
class worker_pool {
 public:
  worker_pool(scheduler& home, const scheduler::options& settings);
  ~worker_pool();
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// For threads outside of the pool: makes the jobs ready, in order, with one wake-up.
  void submit_from_outside(job* const* items, std::size_t count) noexcept;

  void arm(timer& item, time_point deadline, const worker* here);

  /// Returns whether a lane holds a job that a worker without a job could take.
  [[nodiscard]] bool has_work() const noexcept;

  [[nodiscard]] bool is_stopping() const noexcept {
    return stopping_.load(std::memory_order_acquire);
  }

  idle sleepers;
  ready_queue ready;
  std::deque<worker_thread> workers;

 private:
  /// What the timekeeper saw of a worker at its last watch.
  struct watched {
    std::uint64_t jobs_begun = 0;
    time_point since{};  // when it first saw that number
    bool is_reported = false;
  };

  [[nodiscard]] timekeeper make_timers(const scheduler::options& settings);
  void stop() noexcept;
  [[nodiscard]] bool watch(time_point now);

  std::vector<watched> watched_;  // for the timekeeper's thread alone
  const scheduler::long_run_watch long_runs_;
  void* const owner_;
  // false -> true once, by stop() (release), before it wakes all workers. Workers read it
  // (acquire).
  std::atomic<bool> stopping_{false};

 public:
  // The timekeeper's thread uses all members above.
  timekeeper timers;
  // The driver of a scheduler without threads, else null.
  std::unique_ptr<driver> host;
};

}  // namespace magpie::detail
