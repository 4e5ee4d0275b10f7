#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace magpie {

/// What one worker has done since it started. Read while it runs, so the figures are each right but
/// may be a moment apart.
struct worker_statistics {
  std::uint64_t jobs = 0;    ///< times that it resumed a task or ran something stolen
  std::uint64_t steals = 0;  ///< times that it took jobs from another worker
  std::uint64_t raids = 0;   ///< times that it went for a busy worker's forks without its help
  std::uint64_t parks = 0;   ///< times that it went to sleep, until woken, for want of work
  std::uint64_t naps = 0;    ///< times that it slept 50 us, while others were busy
  std::chrono::nanoseconds cpu_time{0};  ///< processor time of its thread
};

struct runtime_statistics {
  std::vector<worker_statistics> workers;
};

}  // namespace magpie
