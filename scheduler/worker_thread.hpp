#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/scheduler.hpp>
#include <magpie/worker.hpp>
#include <thread>

namespace magpie::detail {

/// A worker with its thread and its loop.
class worker_thread final : public worker {
 public:
  worker_thread(scheduler& home, worker_pool& pool, std::size_t index);

  void start();
  void join();

  /// Any thread.
  [[nodiscard]] fork_lane::steal_result steal(job*& item) noexcept { return forks_.steal(item); }
  [[nodiscard]] bool has_forks() const noexcept { return !forks_.looks_empty(); }
  [[nodiscard]] worker_statistics statistics();

 private:
  void loop();
  [[nodiscard]] job* next();
  [[nodiscard]] job* next_in_fairness();
  [[nodiscard]] job* search();
  [[nodiscard]] job* take_from_others();

  worker_pool& pool_;
  std::thread thread_;
  std::uint32_t turn_ = 0;
  std::uint64_t random_;

  // Written by this worker only, read by anybody: relaxed, on a line of their own.
  struct alignas(64) counters {
    std::atomic<std::uint64_t> jobs{0};
    std::atomic<std::uint64_t> steals{0};
    std::atomic<std::uint64_t> parks{0};
  };
  counters counters_;
};

}  // namespace magpie::detail
