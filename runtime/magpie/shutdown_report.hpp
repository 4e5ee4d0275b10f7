#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace magpie {

/// A task that has not ended.
struct straggler {
  std::string name;
  std::string waiting_for;  // as its handle says
};

/// What runtime::shutdown() has left behind when its time was over.
struct shutdown_report {
  std::vector<straggler> stragglers;
  std::size_t blocking_calls = 0;  // functions given to run_blocking() that have not returned

  [[nodiscard]] bool is_complete() const noexcept {
    return stragglers.empty() && blocking_calls == 0;
  }

  /// A line for each straggler, and one for the blocking calls; empty when nothing is left. For
  /// people: the words may change.
  [[nodiscard]] std::string text() const;
};

}  // namespace magpie
