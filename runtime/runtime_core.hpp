#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <magpie/detail/asymmetric_fence.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>
#include <magpie/runtime.hpp>
#include <magpie/shutdown_report.hpp>
#include <string>
#include <string_view>
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

  /// So many tasks more. False when none may be added.
  [[nodiscard]] bool try_add_tasks(std::size_t count);
  /// The same; throws invalid_state.
  void add_tasks(std::size_t count);
  /// For whoever has published a task and not submitted it yet. True: the runtime closes, and its
  /// request to all tasks may have missed this one, so the caller cancels it.
  [[nodiscard]] bool is_closing() const noexcept {
    asymmetric_fence::light();
    return is_closing_.load(std::memory_order_relaxed);
  }

  /// Any thread: no more tasks come from outside, and those that are there have been cancelled
  /// once.
  void request_shutdown();
  /// On a thread that is not a worker, of this or any runtime.
  [[nodiscard]] shutdown_report shut_down(time_point deadline);

  /// Those of this runtime's tasks that are not done and wanted.
  [[nodiscard]] std::vector<any_task_handle> find_tasks(
      const std::function<bool(task_state_base&)>& wanted) const;

  /// Blocks the calling thread, which is no worker, until the task has ended. Without workers it
  /// runs the tasks meanwhile; throws `deadlock`.
  void wait_for_end(task_state_base& awaited);
  /// Without workers: until then.
  void run_until(time_point deadline);

  /// The tasks that are not done.
  [[nodiscard]] std::vector<straggler> list_tasks() const;

  /// Tells on_long_run of the task that has, or had, the scope at that address.
  void report_long_run(const void* scope, duration so_far);

  [[nodiscard]] bool is_driven() const noexcept { return options.workers == 0; }

 private:
  /// Without workers: runs tasks until `is_over` says so.
  [[nodiscard]] scheduler::end_of_run drive(const std::function<bool()>& is_over,
                                            time_point deadline);
  /// Waits for the end of all tasks, and closes the registry then. False when the deadline has
  /// passed before, or nothing will ever happen.
  [[nodiscard]] bool drain(time_point deadline);
  [[noreturn]] void throw_deadlock() const;
  enum class cancelled_before { spared, cancelled_again };
  /// Cancels all tasks, and from now on each newcomer.
  void cancel_all(cancelled_before which, std::string_view reason);

 public:
  const runtime_options options;
  const runtime_identity identity;
  registry tasks;
  scheduler jobs;
  blocking_pool blocking;

 private:
  // false -> true once, by cancel_all(), before a heavy fence and its look at all tasks. A spawn
  // reads it behind a light fence, after it has published its task. So either the look finds the
  // task, or the spawn finds the runtime closing.
  std::atomic<bool> is_closing_{false};
  // false -> true once, when shut_down() returns: what is left does not spawn any more. Relaxed:
  // who spawns after that has returned knows of it.
  std::atomic<bool> is_shut_down_{false};
};

}  // namespace magpie::detail
