#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/detail/this_thread.hpp>

namespace magpie::detail {

/// Off under AddressSanitizer, which is to see each frame come and go.
inline constexpr bool has_frame_pool = MAGPIE_ADDRESS_SANITIZER == 0;

/// The size classes of the frame pool: steps of 16 bytes up to 256, of 64 up to 1 KiB, of 256 up to
/// 4 KiB. A block's class follows from the size that was asked for, which a compiler knows.
struct frame_class {
  static constexpr std::size_t largest = 4096;

  /// For a size of 1 to `largest`.
  [[nodiscard]] static constexpr std::size_t of(std::size_t size) noexcept {
    if (size <= 256) return (size - 1) / 16;
    if (size <= 1024) return 16 + (size - 257) / 64;
    return 28 + (size - 1025) / 256;
  }

  /// The size of the class's blocks. Never less than what the depot writes into a free one.
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

/// Memory for coroutine frames and large results: 16-byte aligned blocks from the calling thread's
/// magazines. A block may be freed on another thread than the one that allocated it: what piles up
/// in one thread, more than 512 KiB of a size, moves through a depot that all threads share, so
/// that memory stays bounded by the peak in use and that much a thread. Larger blocks, and all
/// blocks under AddressSanitizer, come from operator new.
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

/// `size` is what was asked for. Never allocates, never throws.
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
