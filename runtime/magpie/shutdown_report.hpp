#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace magpie {

/// A task that had not ended when the time was over.
struct straggler {
  std::string name;
  std::string waiting_for;  // see any_task_handle::waiting_for()
};

/// What was left when the time of runtime::shutdown() was over.
struct shutdown_report {
  std::vector<straggler> stragglers;
  std::size_t blocking_calls = 0;  // functions given to run_blocking() that have not returned

  [[nodiscard]] bool is_complete() const noexcept {
    return stragglers.empty() && blocking_calls == 0;
  }

  /// Returns a line for each straggler and one for the blocking calls; empty if nothing is left.
  /// For people: the wording may change.
  [[nodiscard]] std::string text() const;
};

}  // namespace magpie
