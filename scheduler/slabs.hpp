#pragma once

#include <cstddef>

namespace magpie::detail {

/// The size of a slab, the piece of memory that depots cut blocks from.
inline constexpr std::size_t slab_size = std::size_t{64} * 1024;

/// Takes memory of slab_size bytes, aligned to slab_size, all zero. Returns null when there is
/// none. Any thread.
[[nodiscard]] void* take_slab() noexcept;

/// Gives a slab back to the system. Any thread.
void give_slab(void* slab) noexcept;

}  // namespace magpie::detail
