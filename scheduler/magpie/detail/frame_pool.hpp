#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/detail/this_thread.hpp>

namespace magpie::detail {

/// False under AddressSanitizer, which has to see each frame come and go.
inline constexpr bool has_frame_pool = MAGPIE_ADDRESS_SANITIZER == 0;

/// The size classes of the frame pool: steps of 16 bytes up to 256, of 64 up to 1 KiB, of 256 up to
/// 4 KiB. A block's class follows from the requested size, which the compiler knows.
struct frame_class {
  static constexpr std::size_t largest = 4096;

  /// Returns the class of a size of 1 to `largest`.
  [[nodiscard]] static constexpr std::size_t of(std::size_t size) noexcept {
    if (size <= 256) return (size - 1) / 16;
    if (size <= 1024) return 16 + (size - 257) / 64;
    return 28 + (size - 1025) / 256;
  }

  /// Returns the size of the class's blocks. It is never less than what the depot writes into a
  /// free block.
  [[nodiscard]] static constexpr std::size_t block_size(std::size_t index) noexcept {
    if (index < 2) return 32;
    if (index < 16) return (index + 1) * 16;
    if (index < 28) return 256 + (index - 15) * 64;
    return 1024 + (index - 27) * 256;
  }
};

static_assert(frame_class::of(frame_class::largest) + 1 == thread_record::class_count);

[[nodiscard]] void* allocate_frame_slowly(std::size_t size);
void free_frame_slowly(void* block, std::size_t size) noexcept;

/// Allocates memory for a coroutine frame or a large result: a 16-byte aligned block from the
/// calling thread's magazine. Another thread may free the block. When more than 512 KiB of a size
/// pile up in one thread, the rest moves to a depot that all threads share. So memory stays bounded
/// by the peak in use and 512 KiB a thread and size. Larger blocks, and all blocks under
/// AddressSanitizer, come from operator new.
///
/// Throws std::bad_alloc.
[[nodiscard]] inline void* allocate_frame(std::size_t size) {
  if (has_frame_pool && size <= frame_class::largest) [[likely]] {
    magazine& own = thread_record::current().magazines[frame_class::of(size)];
    const std::uint32_t count = own.count.load(std::memory_order_relaxed);
    if (count != 0) [[likely]] {
      own.count.store(count - 1, std::memory_order_relaxed);
      return own.blocks[count - 1];
    }
  }
  return allocate_frame_slowly(size);
}

/// Frees a block. `size` is the size that was requested for it. Never allocates, never throws.
inline void free_frame(void* block, std::size_t size) noexcept {
  if (has_frame_pool && size <= frame_class::largest) [[likely]] {
    magazine& own = thread_record::current().magazines[frame_class::of(size)];
    const std::uint32_t count = own.count.load(std::memory_order_relaxed);
    if (count != own.capacity) [[likely]] {
      own.blocks[count] = block;
      own.count.store(count + 1, std::memory_order_relaxed);
      return;
    }
  }
  free_frame_slowly(block, size);
}

}  // namespace magpie::detail
