#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/sync.hpp>

namespace magpie::detail {

/// A bounded FIFO of pointers with one producer, its owner, and any number of consumers.
///
/// Indices are 64 bits wide, only grow and never wrap. So a consumer whose exchange of head_
/// succeeds has read the slots before the owner used them again: the owner does that only after
/// head_ has passed them.
template <class T, class Sync = standard_sync, std::size_t capacity = 256>
class basic_ready_ring {
 public:
  basic_ready_ring() noexcept {
    for (auto& each : slots_) each.store(nullptr, std::memory_order_relaxed);
  }
  basic_ready_ring(const basic_ready_ring&) = delete;
  basic_ready_ring& operator=(const basic_ready_ring&) = delete;

  /// Owner only: appends `item`. Returns false when the ring is full. The consumer of the item sees
  /// what the owner wrote before the push.
  [[nodiscard]] bool push(T& item) noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - known_head_ == capacity) [[unlikely]] {
      known_head_ = head_.load(std::memory_order_acquire);
      if (tail - known_head_ == capacity) return false;
    }
    at(tail).store(&item, std::memory_order_relaxed);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  /// Owner only: removes and returns the oldest item, or returns null when there is none.
  [[nodiscard]] T* pop() noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    while (head != tail) {
      T* const item = at(head).load(std::memory_order_relaxed);
      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        return item;
      }
    }
    return nullptr;
  }

  /// Like pop(), but only while there are no other consumers.
  [[nodiscard]] T* pop_alone() noexcept {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_relaxed)) return nullptr;
    T* const item = at(head).load(std::memory_order_relaxed);
    head_.store(head + 1, std::memory_order_relaxed);
    return item;
  }

  /// Any thread: takes the older half of the items into `items`, oldest first, rounded up and at
  /// most `most`, if there are at least `least` items. Returns how many it took. Returns 0 also
  /// when another consumer was faster.
  [[nodiscard]] std::size_t steal(std::size_t least, T** items, std::size_t most) noexcept {
    std::uint64_t head = head_.load(std::memory_order_acquire);
    const std::uint64_t tail = tail_.load(std::memory_order_acquire);
    // The tail was read after the head, so tail is not behind head. While head_ does not move, at
    // least count items lie there. If it has moved since, count may exceed the capacity.
    const std::uint64_t count = tail - head;
    if (count < least || count > capacity) return 0;
    const auto half = static_cast<std::size_t>((count + 1) / 2);
    const std::size_t taken = half < most ? half : most;
    for (std::size_t i = 0; i < taken; ++i) {
      items[i] = at(head + i).load(std::memory_order_relaxed);
    }
    return head_.compare_exchange_strong(head, head + taken, std::memory_order_acq_rel,
                                         std::memory_order_relaxed)
               ? taken
               : 0;
  }

  /// Any thread: a snapshot for the idle check. Exact only while no index moves.
  [[nodiscard]] bool looks_empty() const noexcept {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
  }

 private:
  template <class U>
  using atomic = typename Sync::template atomic<U>;

  [[nodiscard]] atomic<T*>& at(std::uint64_t index) noexcept { return slots_[index % capacity]; }

  // head_: the index of the oldest item. The consumers move it on. Their exchange releases, and the
  //   owner acquires head_ before it uses a slot again: so the owner writes a slot after they have
  //   read it. pop_alone(), without other consumers, moves it by a relaxed store.
  // tail_: the index of the next item to come. The owner moves it on. Its release pairs with the
  //   acquire of the other consumers: they see the item and what the owner wrote before its push.
  alignas(64) atomic<std::uint64_t> head_{0};
  alignas(64) atomic<std::uint64_t> tail_{0};
  std::uint64_t known_head_ = 0;  // the owner's copy; head_ is at least this
  std::array<atomic<T*>, capacity> slots_;
};

}  // namespace magpie::detail
