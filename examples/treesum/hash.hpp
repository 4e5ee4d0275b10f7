#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/task.hpp>

#include "catalogue.hpp"
#include "console.hpp"

namespace treesum {

/// What has been hashed so far. Both only count up, by the workers; relaxed, because they feed the
/// progress line and, after the join of the lanes, the summary.
struct hash_totals {
  std::atomic<std::uint64_t> files{0};
  /// Of files begun, too.
  std::atomic<std::uint64_t> bytes{0};
};

/// Files open at any moment, at most, however many workers there are.
inline constexpr std::size_t most_open_files = 64;

/// Hashes every file of the catalogue on `workers` workers. What cannot be read goes to the
/// console; the rest is hashed all the same. After a request to stop it ends soon, and files stay
/// pending. The references must outlive the task.
[[nodiscard]] magpie::task<> hash_files(catalogue& files, std::size_t workers, hash_totals& totals,
                                        console& problems);

}  // namespace treesum
