#pragma once

#include <cstdint>
#include <functional>
#include <magpie/runtime.hpp>
#include <magpie/scheduler.hpp>
#include <magpie/worker.hpp>
#include <vector>

#include "runtime/blocking_pool.hpp"
#include "runtime/registry.hpp"

namespace magpie::detail {

/// What is still to be known of a runtime that may be gone, in one odd word (an even one is the
/// address of a core): the hook for unobserved failures, and a number that is never used again in
/// this process.
class runtime_identity {
 public:
  explicit runtime_identity(std::uint64_t word) noexcept : word_(word) {}
  /// A new one.
  explicit runtime_identity(unobserved_hook hook);

  [[nodiscard]] static bool is_one(std::uint64_t word) noexcept { return word % 2 != 0; }
  [[nodiscard]] std::uint64_t word() const noexcept { return word_; }
  [[nodiscard]] unobserved_hook hook() const noexcept;

 private:
  std::uint64_t word_;
};

/// What a runtime consists of. The order is that of dependence: the blocking pool's threads submit
/// to the scheduler, so they are joined first.
class runtime_core {
 public:
  explicit runtime_core(const runtime_options& settings);

  /// Wakes the sleepers with `cancelled` and runs all tasks to their end.
  ~runtime_core();

  runtime_core(const runtime_core&) = delete;
  runtime_core& operator=(const runtime_core&) = delete;

  [[nodiscard]] static runtime_core& of(const worker& here) noexcept {
    return *static_cast<runtime_core*>(here.home().owner());
  }

  /// Calls `visit` with the runtime of that identity, which will not end meanwhile; not when it has
  /// ended.
  static void visit(runtime_identity which, const std::function<void(runtime_core&)>& visit);

  /// So many tasks more. Throws invalid_state when all have ended and none may be added.
  void add_tasks(std::size_t count);

  /// Those of this runtime's tasks that are not done and wanted.
  [[nodiscard]] std::vector<any_task_handle> find_tasks(
      const std::function<bool(task_state_base&)>& wanted) const;

  /// Tells on_long_run of the task that has, or had, the scope at that address.
  void report_long_run(const void* scope, duration so_far);

  const runtime_options options;
  const runtime_identity identity;
  registry tasks;
  scheduler jobs;
  blocking_pool blocking;
};

}  // namespace magpie::detail
