#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/detail/frame_pool.hpp>
#include <new>

#include "instrumented.hpp"

namespace magpie::detail {

/// In place of the slots of the pool: a frame each, in which there is room for relacy's atomics.
/// The header goes with it, so a look at a slot without a state is not to be had here.
struct slot_header {
  std::atomic<std::uint64_t> references{0};
};

struct slot : slot_header {
  static constexpr std::size_t body_size = 4096;

  alignas(8) std::byte body[body_size];

  [[nodiscard]] static slot& of(void* body) noexcept {
    return *reinterpret_cast<slot*>(static_cast<std::byte*>(body) - sizeof(slot_header));
  }
};

static_assert(sizeof(slot) == sizeof(slot_header) + slot::body_size);

[[nodiscard]] inline slot& allocate_slot() { return *::new (allocate_frame(sizeof(slot))) slot; }

inline void free_slot(slot& freed) noexcept {
  freed.~slot();
  free_frame(&freed, sizeof(slot));
}

}  // namespace magpie::detail
