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
  [[nodiscard]] fork_lane& forks() noexcept { return forks_; }
  [[nodiscard]] bool has_forks() const noexcept { return !forks_.looks_empty(); }
  [[nodiscard]] worker_statistics statistics();

 private:
  enum class eagerness { asks, raids };

  void loop();
  [[nodiscard]] job* next();
  [[nodiscard]] job* next_in_fairness();
  [[nodiscard]] job* search();
  [[nodiscard]] job* take_from_others(eagerness how);
  [[nodiscard]] static job* steal_from(worker_thread& victim, eagerness how) noexcept;

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
