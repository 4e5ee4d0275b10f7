#pragma once

#include <cstddef>
#include <source_location>
#include <string>
#include <vector>

namespace magpie {

/// A task that has not ended, at the moment of a report.
struct live_task {
  std::string name;
  std::source_location spawned_at;
  std::string waiting_for;  // see any_task_handle::waiting_for()
};

/// What a runtime has to do yet, and what keeps it: see runtime::report(), runtime::shutdown() and
/// `deadlock`. Each task is described at one moment of the call. While other threads run tasks, the
/// moments differ from task to task, so a ring may never have been there as a whole.
struct runtime_report {
  /// In the order in which they were spawned, as far as one thread spawned them.
  std::vector<live_task> tasks;
  /// Tasks that await each other in a ring, by their places in `tasks`: each awaits the next, and
  /// the last one the first. Each task is in one ring at most, so there may be more rings than are
  /// listed.
  std::vector<std::vector<std::size_t>> cycles;
  /// The number of functions given to run_blocking() that have not returned.
  std::size_t blocking_calls = 0;

  /// Returns true if nothing is left.
  [[nodiscard]] bool is_empty() const noexcept { return tasks.empty() && blocking_calls == 0; }

  /// Returns a line for each task and each cycle, and one for the blocking calls; empty if nothing
  /// is left. For people: the wording may change. Throws std::bad_alloc.
  ///
  ///     task "transfer" (bank.cpp:41): semaphore "accounts" (2 ahead)
  ///     cycle: "a" awaits "b" awaits "a"
  [[nodiscard]] std::string text() const;
};

}  // namespace magpie
