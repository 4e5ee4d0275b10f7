#pragma once

namespace magpie::detail {

/// Something that a thread outside of the workers runs: see blocking_pool. It is embedded in what
/// it belongs to, so queueing it allocates nothing. `run` may destroy the memory that it lies in.
struct pool_job {
  using function = void (*)(pool_job&) noexcept;

  explicit pool_job(function run_function) noexcept : run(run_function) {}
  pool_job(const pool_job&) = delete;
  pool_job& operator=(const pool_job&) = delete;

  const function run;

  // Guarded by the pool's mutex.
  pool_job* next = nullptr;
  pool_job* previous = nullptr;
  bool is_queued = false;
};

}  // namespace magpie::detail
