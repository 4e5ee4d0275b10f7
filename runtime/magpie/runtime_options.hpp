#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/task_state.hpp>
#include <string_view>

namespace magpie {

/// Prints one line on stderr: the task's name and the what() of its failure.
void print_unobserved(const unobserved_failure& failure) noexcept;

/// What runtime_options::on_long_run receives: a task that has kept its worker for long.
struct long_run {
  std::string_view task_name;
  duration so_far;
};

using long_run_hook = void (*)(const long_run&) noexcept;

/// Prints one line on stderr: the task's name and the time.
void print_long_run(const long_run& run) noexcept;

struct runtime_options {
  static constexpr std::size_t automatic = static_cast<std::size_t>(-1);

  /// The greatest value of `workers`.
  static constexpr std::size_t most_workers = 4096;

  /// The number of worker threads. automatic: as many as the process may use, by CPU affinity and
  /// cgroup quota. 0: no workers and no timekeeper. Tasks then run, and timers fire, on the threads
  /// that call block_on() or one of poll_one(), run_until_idle(), run_for() and run_until(), one
  /// thread at a time.
  std::size_t workers = automatic;

  /// With virtual_time, which requires that `workers` is 0, time stands still while a task is
  /// ready. Then it jumps to the next timer, so that hours pass in no time. It begins at
  /// time_point{}.
  time_source time = real_time;

  /// Without workers: the order in which ready tasks run. 0: the order in which they became ready.
  /// Any other value seeds a generator that draws the order. With virtual time and without other
  /// threads, the same number gives the same run.
  std::uint64_t seed = 0;

  /// Without workers: called when something has come from another thread after poll_one() returned
  /// false; poll_one() then has something to do. Called once, and not again before the next time
  /// that poll_one() returns false. Any thread may make the call. The function does no more than
  /// wake the host (a write to an eventfd, say). It must not call the runtime, and must not throw.
  std::function<void()> on_wake = {};

  /// The greatest number of threads for run_blocking() at once; they are started as needed.
  std::size_t max_blocking_threads = 64;

  /// Pins each worker to one of the processors that the process may use, in turns. For machines
  /// that run nothing else. Elsewhere a pinned worker waits for whatever else runs on its
  /// processor.
  bool pin = false;

  /// A task that has neither suspended nor ended for this long is reported to on_long_run, once
  /// each time. Such a task keeps others from running; cut it into pieces or move it to
  /// run_blocking(). The resolution is a millisecond. Default: disabled.
  duration long_run_limit = duration::max();

  /// Called on a thread of the runtime that also brings cancel requests to tasks whose timeouts
  /// have expired, so it must be quick. It must not throw. Null: no report.
  long_run_hook on_long_run = &print_long_run;

  /// Called once for each failure that no handle observed, on the thread that drops the last
  /// handle, or on the worker that ends a task without handles. Also called for what a done
  /// callback throws. It must not throw. Null: no report.
  unobserved_hook on_unobserved = &print_unobserved;
};

}  // namespace magpie
