#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <magpie/detail/asymmetric_fence.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>
#include <magpie/report.hpp>
#include <magpie/runtime_options.hpp>
#include <magpie/task_handle.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/blocking_pool.hpp"
#include "runtime/registry.hpp"

namespace magpie::detail {

/// What is still needed of a runtime that may be gone, in one odd word: the hook for unobserved
/// failures, and a number that this process never uses again. An even word is the address of a
/// core.
class runtime_identity {
 public:
  explicit runtime_identity(std::uint64_t word) noexcept : word_(word) {}
  /// Makes a new one. Throws invalid_state for too many different hooks, and std::bad_alloc.
  explicit runtime_identity(unobserved_hook hook);

  [[nodiscard]] static bool is_one(std::uint64_t word) noexcept { return word % 2 != 0; }
  [[nodiscard]] std::uint64_t word() const noexcept { return word_; }
  [[nodiscard]] unobserved_hook hook() const noexcept;

 private:
  std::uint64_t word_;
};

/// The parts of a runtime. They stand in the order of dependence. The threads for blocking calls
/// submit to the scheduler, so they are joined first. The timekeeper, a part of the scheduler, uses
/// `rounds` to its end.
class runtime_core {
 public:
  explicit runtime_core(const runtime_options& settings);

  /// Cancels all tasks, wakes the sleepers with `cancelled`, and waits until all tasks have ended.
  ~runtime_core();

  runtime_core(const runtime_core&) = delete;
  runtime_core& operator=(const runtime_core&) = delete;

  [[nodiscard]] static runtime_core& of(const worker& here) noexcept {
    return *static_cast<runtime_core*>(here.home().owner());
  }

  /// Registers one more task with the runtime of that identity, which then does not end before the
  /// task is removed. Returns null if the runtime has ended or none may be added.
  [[nodiscard]] static runtime_core* try_add_task(runtime_identity which);

  /// Registers `count` more tasks. Returns false if none may be added. Throws invalid_state in a
  /// child of fork().
  [[nodiscard]] bool try_add_tasks(std::size_t count);
  /// The same, but throws invalid_state instead of returning false.
  void add_tasks(std::size_t count);
  /// For a thread that has published a task and not submitted it yet. True: the runtime is closing,
  /// and its request to all tasks may have missed this one, so the caller cancels it.
  [[nodiscard]] bool is_closing() const noexcept {
    asymmetric_fence::light();
    return is_closing_.load(std::memory_order_relaxed);
  }

  /// Refuses tasks from outside from now on, and cancels each task that has not been cancelled
  /// before. Any thread.
  void request_shutdown();
  /// See runtime::shutdown(). Not on a worker of any runtime.
  [[nodiscard]] runtime_report shut_down(time_point deadline);

  /// Calls `visit` with each task of this runtime that is not done: with all that were there before
  /// the call, and perhaps with some that came later. No lock is held. Allocates nothing.
  void for_each_task(const std::function<void(task_state_base&)>& visit) const;
  [[nodiscard]] std::vector<any_task_handle> all_tasks() const;

  /// Blocks the calling thread, which is no worker, until the task has ended. Without workers the
  /// thread runs the tasks, and `deadlock` may be thrown.
  void wait_for_end(task_state_base& awaited);
  /// Without workers: runs tasks until then.
  void run_until(time_point deadline);

  /// See runtime::report().
  [[nodiscard]] runtime_report report();

  // For each work_guard.
  void expect() noexcept { expected_.fetch_add(1, std::memory_order_relaxed); }
  void expect_no_more() noexcept { expected_.fetch_sub(1, std::memory_order_release); }

  /// Reports to on_long_run the task that has, or had, the scope at that address.
  void report_long_run(const void* scope, duration so_far) noexcept;

  [[nodiscard]] bool is_driven() const noexcept { return options.workers == 0; }

 private:
  /// Without workers: runs tasks until `is_over` returns true or the deadline has passed.
  [[nodiscard]] scheduler::end_of_run drive(const std::function<bool()>& is_over,
                                            time_point deadline);
  /// Waits for the end of all tasks, and then closes the registry. Returns false if the deadline
  /// has passed before, or nothing will ever happen.
  [[nodiscard]] bool drain(time_point deadline);
  enum class cancelled_before { spared, cancelled_again };
  /// Cancels all tasks, and from now on each new task.
  void cancel_all(cancelled_before which, const std::shared_ptr<const std::string>& reason);

 public:
  const runtime_options options;
  const runtime_identity identity;
  registry tasks;
  // For what the timekeeper does not do itself: the rest of a round, and users' code. One thread:
  // it does not depend on the workers, nor on calls that block.
  blocking_pool rounds;
  scheduler jobs;
  blocking_pool blocking;

 private:
  // false -> true once, by cancel_all(), before a heavy fence and its look at all tasks. A spawn
  // reads it behind a light fence, after it has published its task. So either the look finds the
  // task, or the spawn finds the runtime closing.
  std::atomic<bool> is_closing_{false};
  // How many work_guards there are. A thread that drops one releases what it has done before; the
  // driving thread that sees the guard gone acquires that.
  std::atomic<std::size_t> expected_{0};
  // false -> true once, by shut_down(), when it has waited for the tasks: what is left spawns no
  // more. Relaxed: code that spawns after shut_down() has returned sees it.
  std::atomic<bool> is_shut_down_{false};
};

}  // namespace magpie::detail
