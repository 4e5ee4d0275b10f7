#pragma once

#include <cstddef>

namespace magpie {

/// The memory of coroutine frames and task states in this process.
struct frame_pool_statistics {
  std::size_t live = 0;            ///< blocks in use
  std::size_t live_bytes = 0;      ///< their size, rounded up to the pool's classes
  std::size_t cached_bytes = 0;    ///< free, kept for further use
  std::size_t reserved_bytes = 0;  ///< taken from the system: live, cached, or never used yet
};

/// Any thread. Exact when no task runs or is created meanwhile.
[[nodiscard]] frame_pool_statistics frame_statistics();

/// Gives memory that holds no live frame back to the system, as far as it is in 64 KiB pieces of
/// which all is free; what other threads keep at hand, a few dozen blocks of each size, stays with
/// them. Any thread, at a cost in proportion to what is cached. Returns how many bytes it gave
/// back.
std::size_t trim_frames() noexcept;

}  // namespace magpie
