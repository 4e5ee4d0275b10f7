#pragma once

#include <atomic>
#include <cstdint>
#include <magpie/detail/job.hpp>
#include <magpie/detail/thread_annotations.hpp>

namespace magpie::detail {

class cancel_scope;
class wait_list;

/// What waits in a wait_list. With a scope, it is a coroutine that runs in that scope: the worker
/// that ends the wait makes it ready. Without a scope, it is anything else: the worker that ends
/// the wait runs it at once. Such a job may destroy itself, and takes no longer than setting a flag
/// or handing a result over.
struct waiter : job {
  using job::job;

  cancel_scope* scope = nullptr;

 private:
  friend wait_list;

  waiter* previous_ = nullptr;  // null: in no list. Of the first: the last
};

/// The waiters of one event or resource, first come, first served, and the lock that guards them
/// and what their owner keeps beside them. All operations are O(1).
///
/// It is a spin lock, and the last in every order of locks: its holder takes no other lock but that
/// of the timers, and wakes no waiter. The thread that takes a waiter out of the list wakes it
/// after it has unlocked the list; no other thread finds it there. So the thread that withdraws a
/// wait and the thread that ends it need no other agreement.
class MAGPIE_LOCK wait_list {
 public:
  wait_list() noexcept = default;
  wait_list(const wait_list&) = delete;
  wait_list& operator=(const wait_list&) = delete;

  void lock() noexcept MAGPIE_ACQUIRES() {
    if ((word_.fetch_or(lock_bit, std::memory_order_acquire) & lock_bit) != 0) [[unlikely]]
      lock_slowly();
  }
  void unlock() noexcept MAGPIE_RELEASES() {
    word_.store(word_.load(std::memory_order_relaxed) & ~lock_bit, std::memory_order_release);
  }

  /// Returns the waiter that came first; null for none.
  [[nodiscard]] waiter* first() const noexcept MAGPIE_REQUIRES(this) {
    return reinterpret_cast<waiter*>(word_.load(std::memory_order_relaxed) & ~flags);
  }
  /// Adds a waiter behind all others. It is in no list.
  void push(waiter& who) noexcept MAGPIE_REQUIRES(this);
  /// Takes a waiter out. Returns false if it is not in the list, or not any more.
  [[nodiscard]] bool remove(waiter& who) noexcept MAGPIE_REQUIRES(this);

  /// Returns how many waiters came before `who`, which is in the list; `most` if there are as many
  /// or more.
  [[nodiscard]] std::size_t ahead_of(const waiter& who, std::size_t most) const noexcept
      MAGPIE_REQUIRES(this);

  /// Empties the list, and returns all waiters, linked by `next`, the first first; null for none.
  /// remove() must not be called for them.
  [[nodiscard]] waiter* take_all() noexcept MAGPIE_REQUIRES(this) {
    waiter* const all = first();
    set_first(nullptr);
    return all;
  }

  // The mark: a bit for the owner, say whether what is waited for is there. What the thread that
  // changes it did before happens before what another does that sees the change.

  [[nodiscard]] bool is_marked() const noexcept {
    return (word_.load(std::memory_order_acquire) & mark_bit) != 0;
  }
  void mark() noexcept MAGPIE_REQUIRES(this) { change(mark_bit, mark_bit); }
  void unmark() noexcept MAGPIE_REQUIRES(this) { change(mark_bit, 0); }

  // Without the lock. Each has no effect and returns false if somebody waits or has the lock, or if
  // the mark is not as it has to be.

  [[nodiscard]] bool try_mark() noexcept { return try_change(0, mark_bit); }
  [[nodiscard]] bool try_unmark() noexcept { return try_change(mark_bit, 0); }

  // The waiters of something that happens once.

  /// Returns true once close() was called.
  [[nodiscard]] bool is_closed() const noexcept MAGPIE_REQUIRES(this) {
    return (word_.load(std::memory_order_relaxed) & closed_bit) != 0;
  }
  /// Empties the list for good: remove() returns false from now on, and nothing may be pushed.
  /// Returns all waiters, linked by `next`, the first first; null for none.
  [[nodiscard]] waiter* close() noexcept MAGPIE_REQUIRES(this) {
    waiter* const all = first();
    word_.store(closed_bit | lock_bit, std::memory_order_relaxed);
    return all;
  }

 private:
  static constexpr std::uintptr_t lock_bit = 1;
  static constexpr std::uintptr_t closed_bit = 2;
  static constexpr std::uintptr_t mark_bit = 4;
  static constexpr std::uintptr_t flags = lock_bit | closed_bit | mark_bit;

  void lock_slowly() noexcept;
  /// Of a list that is not closed.
  void set_first(waiter* first) noexcept MAGPIE_REQUIRES(this) {
    change(~flags, reinterpret_cast<std::uintptr_t>(first));
  }
  void change(std::uintptr_t bits, std::uintptr_t to) noexcept MAGPIE_REQUIRES(this) {
    word_.store((word_.load(std::memory_order_relaxed) & ~bits) | to, std::memory_order_relaxed);
  }
  bool try_change(std::uintptr_t from, std::uintptr_t to) noexcept {
    return word_.compare_exchange_strong(from, to, std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }

  // The address of the first waiter, and the flags. The thread that gets the lock sets the lock bit
  // (acquire). Its holder alone changes the rest, and clears the bit (release), but for try_mark()
  // and try_unmark(), which fail while the lock bit is set.
  std::atomic<std::uintptr_t> word_{0};
};

inline void wait_list::push(waiter& who) noexcept {
  who.next = nullptr;
  waiter* const oldest = first();
  if (oldest == nullptr) {
    who.previous_ = &who;
    set_first(&who);
    return;
  }
  waiter* const newest = oldest->previous_;
  newest->next = &who;
  who.previous_ = newest;
  oldest->previous_ = &who;
}

inline std::size_t wait_list::ahead_of(const waiter& who, std::size_t most) const noexcept {
  std::size_t count = 0;
  for (const job* each = first(); each != &who && count != most; each = each->next) ++count;
  return count;
}

inline bool wait_list::remove(waiter& who) noexcept {
  // The waiters of a closed list are no longer its own, and may be gone.
  if (is_closed() || who.previous_ == nullptr) return false;
  waiter* const oldest = first();
  auto* const following = static_cast<waiter*>(who.next);
  if (&who == oldest) {
    set_first(following);
  } else {
    who.previous_->next = following;
  }
  if (following != nullptr) {
    following->previous_ = who.previous_;
  } else if (&who != oldest) {
    oldest->previous_ = who.previous_;
  }
  who.previous_ = nullptr;
  who.next = nullptr;
  return true;
}

}  // namespace magpie::detail
