#pragma once

#include <cstddef>

namespace magpie::detail {

/// What depots cut their blocks from.
inline constexpr std::size_t slab_size = std::size_t{64} * 1024;

/// Memory of slab_size, aligned to it, all zero; null when there is none. Any thread.
[[nodiscard]] void* take_slab() noexcept;

/// Gives the memory back to the system. Any thread.
void give_slab(void* slab) noexcept;

}  // namespace magpie::detail
