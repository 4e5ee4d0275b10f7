#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <magpie/sync.hpp>
#include <memory>
#include <new>

namespace magpie::detail {

/// A work-stealing deque of pointers whose owner pays for no fence: it pushes and pops at the new
/// end with plain loads and stores; any thread steals from the old end. It grows without bound and
/// loses nothing.
///
/// It is a *split* deque. Items tail .. split - 1 are public and form a deque of Chase and Lev
/// (Dynamic Circular Work-Stealing Deque, SPAA 2005); items split .. bottom - 1 are the owner's
/// own. A thief that finds the public part empty asks for more through one word, the guard, which
/// the owner reads anyway at each push and pop. If the owner does not answer, because it computes,
/// the thief *raids*: it closes the guard, has every running thread execute a fence (membarrier),
/// and moves the split itself. scheduler/README.md has the proof.
///
/// The idea of a private part with exposure on request is that of U. Acar, A. Chargueraud and
/// M. Rainey, Scheduling Parallel Programs by Work Stealing with Private Deques, PPoPP 2013, and of
/// T. van Dijk and J. van de Pol, Lace: Non-blocking Split Deque for Work-Stealing, 2014.
///
/// Indices are 64-bit and so can neither wrap nor meet each other.
template <class T, class Sync = standard_sync>
class basic_fork_lane {
 public:
  explicit basic_fork_lane(std::size_t capacity = 256) : owned_(new buffer(capacity)) {
    buffer_.store(owned_.get(), std::memory_order_relaxed);
  }

  basic_fork_lane(const basic_fork_lane&) = delete;
  basic_fork_lane& operator=(const basic_fork_lane&) = delete;

  /// Owner only. What was written before it is visible to the thread that steals the item. False
  /// when the lane is full and there is no memory for it to grow: nothing has changed then.
  [[nodiscard]] bool push(T& item) noexcept {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    buffer* slots = buffer_.load(std::memory_order_relaxed);
    if (bottom - known_tail_ >= slots->capacity) [[unlikely]] {
      known_tail_ = tail_.load(std::memory_order_acquire);
      if (bottom - known_tail_ >= slots->capacity && (slots = grow(bottom)) == nullptr) {
        return false;
      }
    }
    slots->at(bottom).store(&item, std::memory_order_relaxed);
    move_bottom(bottom + 1);
    if (guard_.load(std::memory_order_relaxed) > bottom) [[unlikely]]
      answer(bottom + 1);
    return true;
  }

  /// Owner only: the newest item, or null when the lane is empty or thieves took the last one.
  [[nodiscard]] T* pop() noexcept {
    const std::int64_t newest = bottom_.load(std::memory_order_relaxed) - 1;
    move_bottom(newest);
    if (guard_.load(std::memory_order_relaxed) > newest) [[unlikely]]
      return pop_guarded(newest);
    return buffer_.load(std::memory_order_relaxed)->at(newest).load(std::memory_order_relaxed);
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

  enum class steal_result {
    empty,
    hidden,  // the owner has items, but none is public: ask()
    lost_race,
    stolen
  };

  /// Any thread: takes the oldest item into `item`. lost_race means that another thread took it
  /// first, so the lane may well hold more.
  [[nodiscard]] steal_result steal(T*& item) noexcept {
    std::int64_t tail = tail_.load(std::memory_order_seq_cst);
    const std::int64_t split = split_.load(std::memory_order_seq_cst);
    if (tail >= split) {
      return bottom_.load(std::memory_order_relaxed) > split ? steal_result::hidden
                                                             : steal_result::empty;
    }
    buffer* slots = buffer_.load(std::memory_order_acquire);
    // Read before the exchange: once tail_ has moved, the owner may overwrite the slot.
    T* candidate = slots->at(tail).load(std::memory_order_relaxed);
    if (!tail_.compare_exchange_strong(tail, tail + 1, std::memory_order_seq_cst,
                                       std::memory_order_relaxed)) {
      return steal_result::lost_race;
    }
    item = candidate;
    return steal_result::stolen;
  }

  /// Any thread: asks the owner to make items public at its next push or pop.
  void ask() noexcept {
    std::int64_t guard = guard_.load(std::memory_order_relaxed);
    if (guard < is_busy) {
      guard_.compare_exchange_strong(guard, is_wanted, std::memory_order_relaxed,
                                     std::memory_order_relaxed);
    }
  }

  /// Any thread: makes all items public without the owner, if it has not answered an ask() yet.
  void raid() noexcept {
    std::int64_t expected = is_wanted;
    // Acquire: what the split was when the owner last let go of the guard.
    if (!guard_.compare_exchange_strong(expected, is_raided_now, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      return;
    }
    Sync::heavy_fence();
    // An operation of the owner that missed the closed guard has moved bottom_ for this load to
    // see; all others wait for the end of the raid.
    const std::int64_t bottom = bottom_.load(std::memory_order_acquire);
    if (bottom > split_.load(std::memory_order_relaxed)) {
      split_.store(bottom, std::memory_order_seq_cst);
    }
    guard_.store(was_raided, std::memory_order_release);
  }

  /// Any thread: a snapshot, for the idle check; exact when nothing moves.
  [[nodiscard]] bool looks_empty() const noexcept {
    return tail_.load(std::memory_order_acquire) >= bottom_.load(std::memory_order_acquire);
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

  // The guard's values besides an index, all greater than any index.
  static constexpr std::int64_t is_busy = std::numeric_limits<std::int64_t>::max() - 3;
  static constexpr std::int64_t is_wanted = is_busy + 1;
  static constexpr std::int64_t is_raided_now = is_busy + 2;
  static constexpr std::int64_t was_raided = is_busy + 3;

  /// The owner's store that a raid must not miss, and the light half of the raid's fence.
  void move_bottom(std::int64_t bottom) noexcept {
    bottom_.store(bottom, std::memory_order_release);
    Sync::light_fence();
  }

  /// Owner: takes the guard, waiting for a raid to end. Returns the split, which nobody else moves
  /// until release_guard().
  std::int64_t take_guard(std::int64_t& seen) noexcept {
    seen = guard_.load(std::memory_order_relaxed);
    for (;;) {
      if (seen == is_raided_now) {
        Sync::pause();
        seen = guard_.load(std::memory_order_relaxed);
      } else if (guard_.compare_exchange_weak(seen, is_busy, std::memory_order_acquire,
                                              std::memory_order_relaxed)) {
        return split_.load(std::memory_order_relaxed);
      }
    }
  }

  void release_guard(std::int64_t split) noexcept {
    guard_.store(split, std::memory_order_release);
  }

  /// Owner, with the guard: makes the older half of its own items public, rounded up.
  std::int64_t expose(std::int64_t split, std::int64_t bottom) noexcept {
    const std::int64_t raised = split + (bottom - split + 1) / 2;
    split_.store(raised, std::memory_order_seq_cst);
    return raised;
  }

  [[gnu::noinline]] void answer(std::int64_t bottom) noexcept {
    std::int64_t seen = 0;
    std::int64_t split = take_guard(seen);
    if (seen == is_wanted && split < bottom) split = expose(split, bottom);
    release_guard(split);
  }

  /// pop() when the guard says that somebody asked, raided, or that item `newest` is public.
  [[gnu::noinline]] T* pop_guarded(std::int64_t newest) noexcept {
    std::int64_t seen = 0;
    std::int64_t split = take_guard(seen);
    T* item = nullptr;
    if (newest >= split) {
      item = buffer_.load(std::memory_order_relaxed)->at(newest).load(std::memory_order_relaxed);
      if (seen == is_wanted && split < newest) split = expose(split, newest);
    } else {
      split = reclaim(split);
      if (split <= newest) {
        item = buffer_.load(std::memory_order_relaxed)->at(newest).load(std::memory_order_relaxed);
      } else {
        item = pop_last(split);
      }
    }
    release_guard(split);
    return item;
  }

  /// Owner, with the guard, all items public: takes back the newer half of them. Returns the split,
  /// unmoved when thieves are too near, or fewer than two items are there.
  std::int64_t reclaim(std::int64_t split) noexcept {
    const std::int64_t seen_tail = tail_.load(std::memory_order_relaxed);
    const std::int64_t lowered = split - (split - seen_tail) / 2;
    if (lowered >= split) return split;
    // As in Chase and Lev's pop: the store, then the look at the thieves. Not even the item at
    // `lowered` may be theirs to take, since only the last one is decided by an exchange.
    split_.store(lowered, std::memory_order_seq_cst);
    if (tail_.load(std::memory_order_seq_cst) < lowered) return lowered;
    split_.store(split, std::memory_order_seq_cst);
    return split;
  }

  /// Owner, with the guard, all items public, bottom_ one below the split: Chase and Lev's pop.
  T* pop_last(std::int64_t& split) noexcept {
    const std::int64_t newest = split - 1;
    split_.store(newest, std::memory_order_seq_cst);
    std::int64_t tail = tail_.load(std::memory_order_seq_cst);
    T* item = nullptr;
    if (tail <= newest) {
      item = buffer_.load(std::memory_order_relaxed)->at(newest).load(std::memory_order_relaxed);
      if (tail < newest) {
        split = newest;
        return item;
      }
      // The last item: whoever moves tail_ past it has it.
      if (!tail_.compare_exchange_strong(tail, tail + 1, std::memory_order_seq_cst,
                                         std::memory_order_relaxed)) {
        item = nullptr;
      }
    }
    split_.store(split, std::memory_order_seq_cst);
    bottom_.store(split, std::memory_order_release);
    return item;
  }

  buffer* grow(std::int64_t bottom) noexcept try {
    buffer* old = owned_.get();
    auto larger = std::make_unique<buffer>(static_cast<std::size_t>(old->capacity) * 2);
    for (std::int64_t i = known_tail_; i < bottom; ++i) {
      larger->at(i).store(old->at(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    larger->outgrown = std::move(owned_);
    owned_ = std::move(larger);
    buffer_.store(owned_.get(), std::memory_order_release);
    return owned_.get();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }

  // tail_: moved by one by whoever takes the item there, never back.
  // split_: moved by whoever has the guard: the owner (is_busy) or a raider (is_raided_now).
  // bottom_: moved by the owner. Its release pairs with the raid's acquire, and split_'s with the
  //   thief's: a thief sees what the owner wrote before the push.
  // buffer_: written by the owner in grow (release), read by thieves (acquire).
  // guard_: an index, equal to split_: calm; the owner may use what lies above it.
  //   -> is_wanted: by a thief. -> is_raided_now: from is_wanted only, by a thief, which moves
  //   split_ and goes on to -> was_raided, where it stays until the owner knows.
  //   -> is_busy: by the owner, from all but is_raided_now; and from there -> an index.
  alignas(64) atomic<std::int64_t> tail_{0};
  alignas(64) atomic<std::int64_t> split_{0};
  atomic<std::int64_t> guard_{0};
  alignas(64) atomic<std::int64_t> bottom_{0};
  atomic<buffer*> buffer_{nullptr};
  std::int64_t known_tail_ = 0;  // the owner's copy: tail_ is at least this
  std::unique_ptr<buffer> owned_;
};

}  // namespace magpie::detail
