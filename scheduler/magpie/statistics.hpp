#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace magpie {

/// What one worker has done since it started. Other threads read the figures while the worker runs:
/// each figure is right, but the figures may be from slightly different moments.
struct worker_statistics {
  std::uint64_t jobs = 0;    ///< times that it resumed a task or ran a stolen job
  std::uint64_t steals = 0;  ///< times that it took jobs from another worker
  std::uint64_t raids = 0;   ///< times that it raided: tried to take a busy worker's hidden forks
  std::uint64_t parks = 0;   ///< times that it found no work and slept until woken
  std::uint64_t naps = 0;    ///< times that it slept 50 us while others were busy
  std::chrono::nanoseconds cpu_time{0};  ///< processor time of its thread
};

struct runtime_statistics {
  std::vector<worker_statistics> workers;
};

}  // namespace magpie
