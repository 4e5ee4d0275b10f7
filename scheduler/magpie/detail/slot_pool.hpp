#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/detail/this_thread.hpp>

#if MAGPIE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace magpie::detail {

/// How many references an object in a slot has; at 0 there is none, and nobody but the owner of the
/// slot may touch the memory behind. The header is there for as long as the memory is, so that
/// for_each_slot() can look for objects that come and go meanwhile.
struct slot_header {
  // 0: the slot is free, or its object is being made or unmade. Anything else: who counts, and how,
  // is the object's matter. Its maker moves it from 0 by a release store; whoever raises it from
  // anything else by compare-exchange holds the object. Whoever brings it back to 0 unmakes it.
  std::atomic<std::uint64_t> references{0};
};

/// Memory for the states of tasks: like the frame pool, but all of one size, and each behind a
/// header that can be found by whoever wants to list the tasks. So a task is entered into the list
/// of tasks, and leaves it, by nothing more than its reference count.
struct slot : slot_header {
  static constexpr std::size_t body_size = 88;
  static constexpr std::size_t link_size = 32;  // what the depot uses of the body of a free slot

  /// 8-byte aligned.
  alignas(8) std::byte body[body_size];

  [[nodiscard]] static slot& of(void* body) noexcept {
    return *reinterpret_cast<slot*>(static_cast<std::byte*>(body) - sizeof(slot_header));
  }
};

static_assert(sizeof(slot) == sizeof(slot_header) + slot::body_size && sizeof(slot) % 16 == 0);

[[nodiscard]] slot& allocate_slot_slowly();
void free_slot_slowly(slot& freed) noexcept;

/// Under AddressSanitizer nobody may touch the body of a free slot, but for the depot's link at its
/// beginning.
inline void poison([[maybe_unused]] slot& freed) noexcept {
#if MAGPIE_ADDRESS_SANITIZER
  __asan_poison_memory_region(freed.body + slot::link_size, slot::body_size - slot::link_size);
#endif
}
inline void unpoison([[maybe_unused]] slot& allocated) noexcept {
#if MAGPIE_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(allocated.body, slot::body_size);
#endif
}

/// Throws std::bad_alloc. The references are 0.
[[nodiscard]] inline slot& allocate_slot() {
  magazine& own = thread_record::current().slots;
  const std::uint32_t count = own.count.load(std::memory_order_relaxed);
  slot* allocated = nullptr;
  if (count != 0) [[likely]] {
    own.count.store(count - 1, std::memory_order_relaxed);
    allocated = static_cast<slot*>(own.blocks[count - 1]);
  } else {
    allocated = &allocate_slot_slowly();
  }
  unpoison(*allocated);
  return *allocated;
}

/// Any thread. The references are 0.
inline void free_slot(slot& freed) noexcept {
  poison(freed);
  magazine& own = thread_record::current().slots;
  const std::uint32_t count = own.count.load(std::memory_order_relaxed);
  if (count == own.capacity) [[unlikely]]
    return free_slot_slowly(freed);
  own.blocks[count] = &freed;
  own.count.store(count + 1, std::memory_order_relaxed);
}

/// Calls `visit` with each slot of the process, free or not. Slots can neither be allocated nor
/// freed by it.
void for_each_slot(const std::function<void(slot&)>& visit);

}  // namespace magpie::detail
