#pragma once

#include <cstddef>

namespace magpie {

/// The memory of coroutine frames and task states in this process.
struct frame_pool_statistics {
  std::size_t live = 0;            ///< blocks in use
  std::size_t live_bytes = 0;      ///< their size, rounded up to the pool's classes
  std::size_t cached_bytes = 0;    ///< free blocks, kept for reuse
  std::size_t reserved_bytes = 0;  ///< taken from the system: live, cached or never used
};

/// Returns the figures of this process. Thread-safe. Exact only while no task is running or being
/// created.
[[nodiscard]] frame_pool_statistics frame_statistics();

/// Gives free memory back to the system, in pieces of 64 KiB: a piece goes back when it holds no
/// live block and no block that another thread caches. Another thread keeps, of each size, up to 60
/// blocks and up to 512 KiB more.
///
/// Returns the number of bytes given back. Thread-safe. The cost is in proportion to the cached
/// memory.
std::size_t trim_frames() noexcept;

}  // namespace magpie
