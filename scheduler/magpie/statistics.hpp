#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace magpie {

/// What one worker has done since it started. Read while it runs, so the figures are each right but
/// may be a moment apart.
struct worker_statistics {
  std::uint64_t jobs = 0;                ///< times that it resumed a task or ran a stolen half
  std::uint64_t steals = 0;              ///< jobs taken from another worker
  std::uint64_t parks = 0;               ///< times that it went to sleep for want of work
  std::chrono::nanoseconds cpu_time{0};  ///< processor time of its thread
};

struct runtime_statistics {
  std::vector<worker_statistics> workers;
};

}  // namespace magpie
