#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/detail/this_thread.hpp>
#include <span>

#if MAGPIE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace magpie::detail {

/// The reference count of the object in a slot. At 0 there is no object, and only the owner of the
/// slot may touch the memory behind the header. The header exists as long as the memory does, so
/// for_each_used_slot() can look for objects while they come and go.
struct slot_header {
  // 0: the slot is free, or its object is being made or unmade.
  // Anything else: the object is alive; the object decides what it counts, and how.
  // 0 -> non-zero by the maker of the object, with release. A thread that raises a non-zero count
  // by compare-exchange holds the object. The thread that brings the count back to 0 unmakes it.
  std::atomic<std::uint64_t> references{0};
};

/// Memory for the states of tasks. It is like the frame pool, but all slots have one size, and each
/// begins with a header that a thread which lists the tasks can find. So a task enters and leaves
/// the list of tasks by its reference count alone.
struct slot : slot_header {
  static constexpr std::size_t body_size = 88;
  // What the depot uses of the body of a free slot.
  static constexpr std::size_t link_size = 32;

  alignas(8) std::byte body[body_size];

  [[nodiscard]] static slot& of(void* body) noexcept {
    return *reinterpret_cast<slot*>(static_cast<std::byte*>(body) - sizeof(slot_header));
  }
};

static_assert(sizeof(slot) == sizeof(slot_header) + slot::body_size && sizeof(slot) % 16 == 0);

[[nodiscard]] slot& allocate_slot_slowly();
void free_slot_slowly(slot& freed) noexcept;

/// Under AddressSanitizer no thread may touch the body of a free slot, except the depot's link at
/// its beginning.
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

/// Allocates a slot, with 0 references. Throws std::bad_alloc.
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

/// Frees a slot, which must have 0 references. Any thread.
inline void free_slot(slot& freed) noexcept {
  poison(freed);
  magazine& own = thread_record::current().slots;
  const std::uint32_t count = own.count.load(std::memory_order_relaxed);
  if (count == own.capacity) [[unlikely]]
    return free_slot_slowly(freed);
  own.blocks[count] = &freed;
  own.count.store(count + 1, std::memory_order_relaxed);
}

/// Calls `visit` with all slots of the process, free or not, some hundreds at a time. No lock is
/// held: slots come and go meanwhile, but their memory stays until the call returns.
void for_each_slab_of_slots(const std::function<void(std::span<slot>)>& visit);

/// Calls `visit` with each of them that has references.
template <class Visit>
void for_each_used_slot(Visit visit) {
  for_each_slab_of_slots([&visit](std::span<slot> slots) {
    for (slot& each : slots) {
      if (each.references.load(std::memory_order_relaxed) != 0) visit(each);
    }
  });
}

}  // namespace magpie::detail
