#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/detail/fork_lane_guard.hpp>
#include <magpie/detail/sync.hpp>
#include <memory>
#include <new>

namespace magpie::detail {

/// A work-stealing deque of pointers whose owner pays for no fence. The owner pushes and pops at
/// the new end with plain loads and stores; any thread steals from the old end. The lane grows
/// without bound and loses no item.
///
/// It is a *split* deque. Items tail .. split - 1 are public and form a deque of Chase and Lev
/// (Dynamic Circular Work-Stealing Deque, SPAA 2005). Items split .. bottom - 1 are private to the
/// owner. A thief that finds the public part empty requests items through one word, the guard,
/// which the owner reads anyway at each push and pop. If the owner does not answer, because it
/// computes, the thief *raids*: it closes the guard, makes every running thread execute a fence
/// (membarrier), and moves the split itself. scheduler/fork_lane.md has the proof.
///
/// The idea of a private part with exposure on request is that of U. Acar, A. Chargueraud and
/// M. Rainey, Scheduling Parallel Programs by Work Stealing with Private Deques, PPoPP 2013, and of
/// T. van Dijk and J. van de Pol, Lace: Non-blocking Split Deque for Work-Stealing, 2014.
///
/// Indices are 64 bits wide, so they neither wrap nor meet each other.
template <class T, class Sync = standard_sync>
class basic_fork_lane {
 public:
  explicit basic_fork_lane(std::size_t capacity = 256) : owned_(new buffer(capacity)) {
    use(*owned_, 0);
    release_guard(0);
  }

  basic_fork_lane(const basic_fork_lane&) = delete;
  basic_fork_lane& operator=(const basic_fork_lane&) = delete;

  enum class push_result {
    calm,    // the item is in the lane
    marked,  // the item is in the lane, and the caller must answer()
    full     // the item is not in the lane: make_room(), then push again
  };

  /// Owner only: pushes `item` at the new end. The thread that steals the item sees what the owner
  /// wrote before the push.
  [[nodiscard, gnu::always_inline]] push_result push(T& item) noexcept {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    if (bottom == limit_) [[unlikely]]
      return push_result::full;
    slots_[bottom & mask_].store(&item, std::memory_order_relaxed);
    bottom_.store(bottom + 1, std::memory_order_release);
    return look_at_guard().bars(bottom) ? push_result::marked : push_result::calm;
  }

  /// Owner only, after a push returned `marked`: makes items public if a thief has requested some.
  [[gnu::noinline]] void answer() noexcept {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    guard seen;
    std::int64_t split = take_guard(seen);
    if (seen.has_request() && split < bottom) split = expose(split, bottom);
    release_guard(split);
  }

  /// Owner only, after a push that said `full`: makes room for another item. Returns false when
  /// there is no memory to grow; then nothing has changed.
  [[nodiscard, gnu::noinline]] bool make_room() noexcept {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    const std::int64_t tail = tail_.load(std::memory_order_acquire);
    limit_ = tail + mask_ + 1;
    return bottom != limit_ || grow(tail, bottom);
  }

  /// Owner only: removes and returns the newest item. Returns null when the lane is empty or
  /// thieves took the last item.
  [[nodiscard]] T* pop() noexcept {
    const std::int64_t newest = bottom_.load(std::memory_order_relaxed) - 1;
    lower_bottom(newest);
    if (look_at_guard().bars(newest)) [[unlikely]]
      return pop_guarded(newest);
    return slots_[newest & mask_].load(std::memory_order_relaxed);
  }

  /// Owner only: returns a mark. Items pushed later lie above the mark until they are popped.
  [[nodiscard]] std::int64_t mark() const noexcept {
    return bottom_.load(std::memory_order_relaxed);
  }
  /// Owner only: pops the newest item if it lies above the mark; else returns null.
  [[nodiscard]] T* pop_above(std::int64_t mark) noexcept {
    return bottom_.load(std::memory_order_relaxed) > mark ? pop() : nullptr;
  }

  enum class pop_if_result {
    popped,
    other,  // thieves took `item`, or it never was in this lane
    marked  // the caller must finish_pop_if()
  };

  /// Owner only: pops the newest item if it is `item`. The first look at the slot may see a pointer
  /// that a thief has already taken; the rest of the pop detects that. The look never misses an
  /// item that is still in the lane, because the owner alone writes slots.
  [[nodiscard, gnu::always_inline]] pop_if_result pop_if(const T& item) noexcept {
    const std::int64_t newest = bottom_.load(std::memory_order_relaxed) - 1;
    if (slots_[newest & mask_].load(std::memory_order_relaxed) != &item) [[unlikely]]
      return pop_if_result::other;
    lower_bottom(newest);
    return look_at_guard().bars(newest) ? pop_if_result::marked : pop_if_result::popped;
  }

  /// Owner only, after a pop_if() returned `marked`: returns whether the item was still in the
  /// lane.
  [[nodiscard]] bool finish_pop_if() noexcept {
    return pop_guarded(bottom_.load(std::memory_order_relaxed)) != nullptr;
  }

  enum class steal_result {
    empty,
    hidden,  // the owner has items, but none is public: ask()
    lost_race,
    stolen
  };

  /// Any thread: takes the oldest item into `item`. lost_race means that another thread took that
  /// item first, so the lane may hold more.
  [[nodiscard]] steal_result steal(T*& item) noexcept {
    return steal_while(item, [] { return true; });
  }

  /// Like steal(), but takes only an item that was in the lane at a moment when holds() returned
  /// true.
  template <class Condition>
  [[nodiscard]] steal_result steal_while(T*& item, Condition holds) noexcept {
    std::int64_t tail = tail_.load(std::memory_order_seq_cst);
    const std::int64_t split = split_.load(std::memory_order_seq_cst);
    if (tail >= split) {
      return bottom_.load(std::memory_order_relaxed) > split ? steal_result::hidden
                                                             : steal_result::empty;
    }
    buffer* slots = buffer_.load(std::memory_order_acquire);
    // Read before the exchange: once tail_ has moved, the owner may overwrite the slot.
    T* candidate = slots->at(tail).load(std::memory_order_relaxed);
    // Called after the load of tail_. If the exchange succeeds, tail_ has not moved in between, so
    // the item was in the lane during the call.
    if (!holds()) return steal_result::empty;
    if (!tail_.compare_exchange_strong(tail, tail + 1, std::memory_order_seq_cst,
                                       std::memory_order_relaxed)) {
      return steal_result::lost_race;
    }
    item = candidate;
    return steal_result::stolen;
  }

  /// Any thread: requests that the owner make items public at its next push or pop.
  void ask() noexcept {
    guard seen = look_at_guard();
    if (seen.is_calm()) {
      guard_.compare_exchange_strong(seen.word, guard::is_wanted, std::memory_order_relaxed,
                                     std::memory_order_relaxed);
    }
  }

  /// Any thread: makes all items public without the owner, if the owner has not answered an ask()
  /// yet.
  void raid() noexcept {
    std::int64_t expected = guard::is_wanted;
    // Acquire: the raider sees split_ as the last holder of the guard left it.
    if (!guard_.compare_exchange_strong(expected, guard::is_raided, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      return;
    }
    Sync::heavy_fence();
    // A pop that did not see the closed guard has moved bottom_, and this load sees that. Every
    // other pop waits for the end of the raid.
    const std::int64_t bottom = bottom_.load(std::memory_order_acquire);
    std::int64_t split = split_.load(std::memory_order_relaxed);
    if (bottom > split) {
      split = bottom;
      split_.store(split, std::memory_order_release);
    }
    release_guard(split);
  }

  /// Any thread: a snapshot for the idle check. Exact only while no index moves.
  [[nodiscard]] bool looks_empty() const noexcept {
    return tail_.load(std::memory_order_acquire) >= bottom_.load(std::memory_order_acquire);
  }

 private:
  template <class U>
  using atomic = typename Sync::template atomic<U>;
  using guard = fork_lane_guard;

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
    // A slow thief may still read an outgrown buffer, so it lives as long as the lane. All outgrown
    // buffers together are smaller than the newest buffer.
    std::unique_ptr<buffer> outgrown;
  };

  [[nodiscard]] guard look_at_guard() const noexcept {
    return {guard_.load(std::memory_order_relaxed)};
  }

  /// The store of a pop that a raid must not miss, and the light half of the raid's fence. (A raid
  /// may miss a push: its item stays hidden until the owner's next look at the guard or the next
  /// raid.)
  void lower_bottom(std::int64_t bottom) noexcept {
    bottom_.store(bottom, std::memory_order_release);
    Sync::light_half();
  }

  /// Owner: waits for a raid to end, takes the guard, and stores the value that it replaced in
  /// `seen`. Returns the split, which no other thread moves until release_guard().
  std::int64_t take_guard(guard& seen) noexcept {
    seen = look_at_guard();
    for (;;) {
      if (seen.has_raider()) {
        Sync::pause();
        seen = look_at_guard();
      } else if (guard_.compare_exchange_weak(seen.word, guard::is_busy, std::memory_order_acquire,
                                              std::memory_order_relaxed)) {
        return split_.load(std::memory_order_relaxed);
      }
    }
  }

  /// Releases the guard. Caller: the owner or a raider, after its last write to split_.
  void release_guard(std::int64_t split) noexcept {
    guard_.store(Sync::is_symmetric() ? guard::is_fenced : split, std::memory_order_release);
  }

  /// Owner, holding the guard: makes the older half of its private items public, rounded up.
  /// Returns the new split.
  std::int64_t expose(std::int64_t split, std::int64_t bottom) noexcept {
    const std::int64_t raised = split + (bottom - split + 1) / 2;
    split_.store(raised, std::memory_order_release);
    return raised;
  }

  /// The rest of pop() and pop_if() when the guard is greater than `newest`: a thief has requested
  /// items or raids, the fence is symmetric, or item `newest` is public.
  [[gnu::noinline]] T* pop_guarded(std::int64_t newest) noexcept {
    guard seen;
    std::int64_t split = take_guard(seen);
    T* item = nullptr;
    if (newest >= split) {
      item = slots_[newest & mask_].load(std::memory_order_relaxed);
      if (seen.has_request() && split < newest) split = expose(split, newest);
    } else {
      item = pop_public(split);
    }
    release_guard(split);
    return item;
  }

  /// Owner, holding the guard, when all items are public and bottom_ is one below the split: pops
  /// the newest item and takes back the newer half of all items.
  T* pop_public(std::int64_t& split) noexcept {
    const std::int64_t newest = split - 1;
    std::int64_t tail = tail_.load(std::memory_order_relaxed);
    std::int64_t lowered = split - (split - tail) / 2;
    if (lowered < split) {
      // As in Chase and Lev's pop, the store comes first, then the look at tail_. From here on
      // thieves take no item at or above the lowered split, except perhaps the one at the tail seen
      // here.
      split_.store(lowered, std::memory_order_seq_cst);
      tail = tail_.load(std::memory_order_seq_cst);
      if (tail < newest) {
        if (tail >= lowered) split_.store(lowered = tail + 1, std::memory_order_release);
        split = lowered;
        return slots_[newest & mask_].load(std::memory_order_relaxed);
      }
    }
    // The last item: the thread that moves tail_ past it owns it.
    T* item = nullptr;
    if (tail == newest && tail_.compare_exchange_strong(tail, tail + 1, std::memory_order_seq_cst,
                                                        std::memory_order_relaxed)) {
      item = slots_[newest & mask_].load(std::memory_order_relaxed);
    }
    split_.store(split, std::memory_order_release);
    bottom_.store(split, std::memory_order_release);
    return item;
  }

  [[nodiscard]] bool grow(std::int64_t tail, std::int64_t bottom) noexcept try {
    auto larger = std::make_unique<buffer>(static_cast<std::size_t>(owned_->capacity) * 2);
    for (std::int64_t i = tail; i < bottom; ++i) {
      larger->at(i).store(owned_->at(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    larger->outgrown = std::move(owned_);
    owned_ = std::move(larger);
    use(*owned_, tail);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }

  void use(buffer& current, std::int64_t tail) noexcept {
    slots_ = current.slots.get();
    mask_ = current.capacity - 1;
    limit_ = tail + current.capacity;
    buffer_.store(&current, std::memory_order_release);
  }

  // tail_: the index of the oldest item. The thread that takes that item, owner or thief, moves it
  //   on by one. It never moves back.
  // split_: the index of the first private item. The holder of the guard moves it: the owner
  //   (is_busy) or a raider (is_raided). When the owner lowers it, a seq_cst load of tail_ follows;
  //   a thief loads both in the opposite order.
  // bottom_: the index after the newest item. The owner alone moves it. Its release pairs with the
  //   raid's acquire, and split_'s release pairs with the thief's acquire: so a thief sees what the
  //   owner wrote before the push.
  // buffer_: the owner writes it in grow() (release); thieves read it (acquire).
  // guard_: an index, equal to split_, means calm: the owner may use items at and above that index.
  //   Where the fence is symmetric, calm is is_fenced instead: then every operation of the owner
  //   takes the guard.
  //
  //   calm -> is_wanted: a thief, or another thread that calls ask().
  //   is_wanted -> is_raided: a thief, which may then move split_.
  //   any value but is_raided -> is_busy: the owner, which may then move split_.
  //   is_raided or is_busy -> calm: the thread that moved the guard there.
  //
  //   The release of -> calm pairs with the acquire of -> is_raided and -> is_busy; -> is_wanted,
  //   a read-modify-write between them, keeps up the release sequence. So the holder of the guard
  //   knows split_, and a raider of a symmetric lane knows what the owner did before it last
  //   released the guard.
  alignas(64) atomic<std::int64_t> tail_{0};
  alignas(64) atomic<std::int64_t> split_{0};
  atomic<std::int64_t> guard_{0};
  atomic<buffer*> buffer_{nullptr};
  alignas(64) atomic<std::int64_t> bottom_{0};
  // Private to the owner: the buffer's slots, its capacity less one, and the index at which the
  // owner must look at tail_ again before it may push.
  atomic<T*>* slots_ = nullptr;
  std::int64_t mask_ = 0;
  std::int64_t limit_ = 0;
  std::unique_ptr<buffer> owned_;
};

}  // namespace magpie::detail
