#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/sync.hpp>
#include <memory>
#include <new>

namespace magpie::detail {

/// A work-stealing deque of pointers: its owner pushes and pops at the new end, any thread steals
/// from the old end. It grows without bound and loses nothing.
///
/// The algorithm is Chase and Lev's (Dynamic Circular Work-Stealing Deque, SPAA 2005) with the
/// memory orders of Lê, Pop, Cohen and Zappella Nardelli (Correct and Efficient Work-Stealing for
/// Weak Memory Models, PPoPP 2013); where they put fences, ordered operations stand here, which
/// ThreadSanitizer understands. scheduler/README.md has the proof.
///
/// Indices are 64-bit, only ever grow, and so can neither wrap nor meet each other.
template <class T, class Sync = standard_sync>
class basic_fork_lane {
 public:
  explicit basic_fork_lane(std::size_t capacity = 256) : owned_(new buffer(capacity)) {
    buffer_.store(owned_.get(), std::memory_order_relaxed);
  }

  basic_fork_lane(const basic_fork_lane&) = delete;
  basic_fork_lane& operator=(const basic_fork_lane&) = delete;

  /// Owner only. Publishes everything written before it to the thread that steals the item. False
  /// when the lane is full and there is no memory for it to grow: nothing has changed then.
  [[nodiscard]] bool push(T& item) noexcept {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    buffer* slots = buffer_.load(std::memory_order_relaxed);
    if (bottom - known_top_ >= slots->capacity) [[unlikely]] {
      known_top_ = top_.load(std::memory_order_acquire);
      if (bottom - known_top_ >= slots->capacity && (slots = grow(bottom)) == nullptr) return false;
    }
    slots->at(bottom).store(&item, std::memory_order_relaxed);
    bottom_.store(bottom + 1, std::memory_order_release);
    return true;
  }

  /// Owner only: the newest item, or null when the lane is empty or thieves took the last one.
  [[nodiscard]] T* pop() noexcept {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    buffer* slots = buffer_.load(std::memory_order_relaxed);
    // Claims the newest index before looking at the thieves; the pair (this store, that load) must
    // not be reordered, nor the thief's (top, then bottom): all four are seq_cst.
    bottom_.store(bottom, std::memory_order_seq_cst);
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    T* item = nullptr;
    if (top <= bottom) {
      item = slots->at(bottom).load(std::memory_order_relaxed);
      if (top < bottom) return item;
      // The last item: whoever moves top_ past it has it.
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
        item = nullptr;
      }
    }
    bottom_.store(bottom + 1, std::memory_order_release);
    return item;
  }

  /// Owner only: pops the newest item if it is `item`, and says whether it did. The glance at the
  /// slot may see a pointer that a thief has already taken, which the pop then finds out; it never
  /// misses an item that is still there, since only the owner writes slots.
  [[nodiscard]] bool pop_if(const T& item) noexcept {
    const std::int64_t newest = bottom_.load(std::memory_order_relaxed) - 1;
    if (buffer_.load(std::memory_order_relaxed)->at(newest).load(std::memory_order_relaxed) !=
        &item) {
      return false;
    }
    return pop() != nullptr;
  }

  enum class steal_result { empty, lost_race, stolen };

  /// Any thread: takes the oldest item into `item`. lost_race means that another thread took it
  /// first, so the lane may well hold more.
  [[nodiscard]] steal_result steal(T*& item) noexcept {
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    const std::int64_t bottom = bottom_.load(std::memory_order_seq_cst);
    if (top >= bottom) return steal_result::empty;
    buffer* slots = buffer_.load(std::memory_order_acquire);
    // Read before the exchange: once top_ has moved, the owner may overwrite the slot.
    T* candidate = slots->at(top).load(std::memory_order_relaxed);
    if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                      std::memory_order_relaxed)) {
      return steal_result::lost_race;
    }
    item = candidate;
    return steal_result::stolen;
  }

  /// Any thread: a snapshot, for the idle check; exact when nothing moves.
  [[nodiscard]] bool looks_empty() const noexcept {
    return top_.load(std::memory_order_acquire) >= bottom_.load(std::memory_order_acquire);
  }

 private:
  template <class U>
  using atomic = typename Sync::template atomic<U>;

  struct buffer {
    explicit buffer(std::size_t size)
        : capacity(static_cast<std::int64_t>(size)), slots(new atomic<T*>[size]) {
      for (std::size_t i = 0; i < size; ++i) slots[i].store(nullptr, std::memory_order_relaxed);
    }

    atomic<T*>& at(std::int64_t index) noexcept {
      return slots[static_cast<std::size_t>(index & (capacity - 1))];
    }

    const std::int64_t capacity;  // a power of two
    std::unique_ptr<atomic<T*>[]> slots;
    // A slow thief may still read an outgrown buffer, so it lives as long as the lane; all of them
    // together are smaller than the newest.
    std::unique_ptr<buffer> outgrown;
  };

  buffer* grow(std::int64_t bottom) noexcept try {
    buffer* old = owned_.get();
    auto larger = std::make_unique<buffer>(static_cast<std::size_t>(old->capacity) * 2);
    for (std::int64_t i = known_top_; i < bottom; ++i) {
      larger->at(i).store(old->at(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    larger->outgrown = std::move(owned_);
    owned_ = std::move(larger);
    buffer_.store(owned_.get(), std::memory_order_release);
    return owned_.get();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }

  // The items are those of index top_ .. bottom_ - 1.
  // bottom_: written by the owner only. push's release pairs with steal's load: the thief sees the
  //   slot and all that the owner wrote before.
  // top_: moved by one by whoever takes the item there, owner or thief, never back.
  // buffer_: written by the owner in grow (release), read by thieves (acquire).
  alignas(64) atomic<std::int64_t> top_{0};
  alignas(64) atomic<std::int64_t> bottom_{0};
  atomic<buffer*> buffer_{nullptr};
  std::int64_t known_top_ = 0;  // the owner's copy: top_ is at least this
  std::unique_ptr<buffer> owned_;
};

}  // namespace magpie::detail
