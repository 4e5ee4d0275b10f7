#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sha256.hpp"

namespace treesum {

enum class file_state : std::uint8_t { pending, hashed, failed };

struct file_record {
  std::uint64_t bytes = 0;
  /// Reading and hashing, without the waits between them.
  std::chrono::nanoseconds time{0};
  digest sum{};
  // pending -> hashed or failed, once, by the lane that claimed the file. The release store comes
  // after the other members are final; who sees hashed with an acquire load may read them.
  std::atomic<file_state> state{file_state::pending};
};

/// All files of one run in the order of the output, and what is known about each. Lanes claim files
/// in this order, so that the first lines are complete long before the last.
class catalogue {
 public:
  explicit catalogue(std::vector<std::string> sorted_paths)
      : paths_(std::move(sorted_paths)), records_(paths_.size()) {}

  [[nodiscard]] std::size_t size() const noexcept { return paths_.size(); }
  [[nodiscard]] const std::string& path(std::size_t file) const { return paths_[file]; }
  [[nodiscard]] file_record& record(std::size_t file) { return records_[file]; }
  [[nodiscard]] const file_record& record(std::size_t file) const { return records_[file]; }

  /// The next file that nobody has; size() when none is left.
  [[nodiscard]] std::size_t claim() noexcept {
    const std::size_t next = unclaimed_.load(std::memory_order_relaxed) < size()
                                 ? unclaimed_.fetch_add(1, std::memory_order_relaxed)
                                 : size();
    return next < size() ? next : size();
  }

 private:
  std::vector<std::string> paths_;
  std::vector<file_record> records_;
  // The first file that nobody has claimed; counts up to a little over size(). Relaxed: the paths
  // were complete before any lane began.
  std::atomic<std::size_t> unclaimed_{0};
};

}  // namespace treesum
