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

/// Runs the jobs and timers of a scheduler without threads, on whatever thread calls it: one at a
/// time, which is the pool's one worker meanwhile. While nobody does, that worker is asleep as far
/// as publishers can see, so that they ring for it as they would wake a sleeper.
class driver {
 public:
  driver(worker_pool& pool, worker_thread& self, const scheduler::driving& how);
  /// Runs what is ready.
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
  /// The calling thread as the worker.
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
  [[nodiscard]] job* pick();
  [[nodiscard]] bool has_work() const noexcept;
  [[nodiscard]] bool lie_down();
  void sleep_until(time_point limit);
  [[nodiscard]] bool fire_timers();

  // How many jobs run between two looks at the clock, which costs as much as a job may.
  static constexpr unsigned jobs_between_looks = 16;

  // How long a runtime of virtual time waits at a time for what other threads do for it.
  static constexpr std::chrono::milliseconds patience{1};

  worker_pool& pool_;
  worker_thread& self_;
  const scheduler::driving how_;

  // false -> true by the thread that takes the seat (acquire), -> false when it leaves (release):
  // it owns all below meanwhile.
  std::atomic<bool> is_taken_{false};
  bool is_lying_ = false;
  std::uint64_t turn_ = 0;  // how often a job was looked for
  // Written from the seat, read from anywhere.
  std::atomic<time_point> virtual_now_{time_point{}};
  std::mt19937_64 random_;
  std::vector<job*> ready_;  // with a seed: the jobs to pick from, in the order of their coming
};

}  // namespace magpie::detail
