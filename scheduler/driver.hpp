#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/this_thread.hpp>
#include <random>
#include <vector>

namespace magpie::detail {

class worker_pool;
class worker_thread;

/// Runs the jobs and timers of a scheduler without threads, on the thread that calls it. One thread
/// calls at a time; during the call it is the pool's one worker. After run_one() has returned
/// false, and while run_until() sleeps, publishers see that worker asleep. They ring for it as they
/// would wake a sleeper.
class driver {
 public:
  driver(worker_pool& pool, worker_thread& self, const scheduler::driving& how);
  /// Runs all ready jobs.
  ~driver();
  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;

  /// See scheduler.
  [[nodiscard]] bool run_one();
  scheduler::end_of_run run_until(const scheduler::run_limits& limits);

  [[nodiscard]] time_point now() const noexcept {
    return how_.time == virtual_time ? virtual_now_.load(std::memory_order_relaxed) : clock::now();
  }

 private:
  /// While it exists, the calling thread is the worker.
  class seat {
   public:
    explicit seat(driver& owner);
    ~seat();
    seat(const seat&) = delete;
    seat& operator=(const seat&) = delete;

   private:
    driver& owner_;
    thread_record& before_;
  };

  [[nodiscard]] bool run_next();
  [[nodiscard]] job* next();
  [[nodiscard]] job* first();
  [[nodiscard]] job* draw();
  [[nodiscard]] bool has_work() const noexcept;
  [[nodiscard]] bool sleeps_on() const noexcept;
  void get_up();
  [[nodiscard]] bool lie_down();
  void sleep_until(time_point limit);
  [[nodiscard]] bool fire_timers();

  // The number of jobs between two looks at the clock. A look costs as much as a job may.
  static constexpr unsigned jobs_between_looks = 16;

  // How long a driver with virtual time sleeps at once while other threads work for it.
  static constexpr std::chrono::milliseconds patience{1};

  worker_pool& pool_;
  worker_thread& self_;
  const scheduler::driving how_;

  // false -> true by the thread that takes the seat (acquire); true -> false by that thread when it
  // leaves (release). In between that thread owns all members below.
  std::atomic<bool> is_taken_{false};
  bool is_lying_ = false;
  time_point quiet_until_{};  // while lying: no timer that was there then is due earlier
  std::uint64_t turn_ = 0;    // number of searches for a job
  // Written by the thread in the seat, read by any thread; relaxed.
  std::atomic<time_point> virtual_now_{time_point{}};
  std::mt19937_64 random_;
  std::vector<job*> ready_;  // with a seed: the ready jobs to draw from
};

}  // namespace magpie::detail
