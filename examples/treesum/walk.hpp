#pragma once

#include <atomic>
#include <cstdint>
#include <magpie/task.hpp>
#include <string>
#include <vector>

#include "console.hpp"

namespace treesum {

enum class sizes { wanted, not_wanted };

/// What a walk has found so far. Both only count up, by the threads that list; relaxed, because
/// they feed the progress line alone.
struct walk_totals {
  std::atomic<std::uint64_t> files{0};
  /// Stays 0 when sizes are not wanted.
  std::atomic<std::uint64_t> bytes{0};
};

/// The paths of all regular files at and below `roots`, sorted by bytes, spelled as
/// `find roots... -type f` spells them; links are not followed. Folders are listed concurrently.
/// What cannot be listed and links that lead in a circle go to the console; the rest is found all
/// the same. After a request to stop the result is incomplete.
/// The references must outlive the task.
[[nodiscard]] magpie::task<std::vector<std::string>> walk(const std::vector<std::string>& roots,
                                                          sizes measure, walk_totals& totals,
                                                          console& problems);

}  // namespace treesum
