#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <magpie/detail/pool_job.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/detail/worker.hpp>
#include <utility>

#include "instrumented.hpp"

namespace magpie {

struct unobserved_failure;

namespace detail {

/// In place of a runtime's identity: there is one runtime, and nobody reports to it.
class runtime_identity {
 public:
  explicit runtime_identity(std::uint64_t word) noexcept : word_(word) {}

  [[nodiscard]] static bool is_one(std::uint64_t word) noexcept { return word % 2 != 0; }
  [[nodiscard]] std::uint64_t word() const noexcept { return word_; }
  [[nodiscard]] auto hook() const noexcept -> void (*)(const unobserved_failure&) noexcept {
    return nullptr;
  }

 private:
  std::uint64_t word_;
};

/// In place of the registry, which has a model of its own.
struct task_count {
  void add(const worker&, std::size_t count) noexcept { alive += count; }
  [[nodiscard]] bool add_from_outside(std::size_t count) noexcept {
    alive += count;
    return true;
  }
  void remove(const worker&) noexcept { alive -= 1; }

  std::size_t alive = 0;
};

/// In place of a pool of threads. Whoever fires timers runs the jobs.
class job_list {
 public:
  void submit(pool_job& job) noexcept { job.next = std::exchange(first_, &job); }
  [[nodiscard]] pool_job* take() noexcept {
    return first_ == nullptr ? nullptr : std::exchange(first_, first_->next);
  }

 private:
  pool_job* first_ = nullptr;
};

class runtime_core {
 public:
  [[nodiscard]] bool is_driven() const noexcept { return false; }
  [[nodiscard]] bool try_add_tasks(std::size_t count) { return tasks.add_from_outside(count); }
  void add_tasks(std::size_t count) { static_cast<void>(try_add_tasks(count)); }
  [[nodiscard]] bool is_closing() const noexcept { return false; }

  const runtime_identity identity{1};
  task_count tasks;
  scheduler jobs;
  job_list rounds;
};

}  // namespace detail
}  // namespace magpie
