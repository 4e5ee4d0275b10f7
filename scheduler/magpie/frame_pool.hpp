#pragma once

#include <cstddef>

namespace magpie::detail {

/// Memory for coroutine frames and task states: 16-byte aligned blocks from per-thread free lists
/// in size classes of 64 bytes. A block may be freed on another thread than the one that allocated
/// it; what piles up on one side moves in batches through a depot that all threads share
/// (Bonwick and Adams, Magazines and Vmem, USENIX 2001), so memory stays bounded by the peak in
/// use. Large blocks, and all blocks under AddressSanitizer, come from operator new.
///
/// Throws std::bad_alloc.
[[nodiscard]] void* allocate_frame(std::size_t size);

/// `size` is what was asked for. Never allocates, never throws.
void free_frame(void* block, std::size_t size) noexcept;

}  // namespace magpie::detail
