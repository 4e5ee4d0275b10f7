#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/timer_node.hpp>
#include <optional>

namespace magpie::detail {

/// A hierarchical timer wheel over the whole range of 64-bit ticks. Insertion and cancellation are
/// O(1). A timer is touched at most `level_count` times until it expires, however far the clock
/// jumps. The wheel never allocates and never throws. It is not thread-safe: its owner holds a
/// lock.
///
/// After G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels: Data Structures for the
/// Efficient Implementation of a Timer Facility", SOSP 1987 (scheme 7). Unlike there, no level is
/// ever used as a ring. A tick is read as a number of base 64 with 11 digits, and
///
///   a pending timer is kept at the level of the highest digit in which its tick differs from the
///   wheel's current tick, in the slot named by its tick's digit there.
///
/// Four facts follow, and all of the code rests on them:
///  1. The place depends on the two ticks alone, so cancel() finds it without storing it.
///  2. An occupied slot lies strictly ahead of the current digit of its level. So nothing wraps, at
///     the top level or at any other.
///  3. A timer at a lower level expires before every timer at a higher level. So the lowest
///     occupied slot of the lowest occupied level is the next that matters.
///  4. Pending timers of one tick are always in one list, in the order of their insertion. Moving a
///     list down in order keeps that order.
///
/// The destructor forgets the timers that are still in the wheel; it does not notify them.
/// advance() to the greatest tick takes all of them out.
class timer_wheel {
 public:
  static constexpr unsigned bits_per_level = 6;
  static constexpr unsigned slots_per_level = 1U << bits_per_level;
  static constexpr unsigned level_count = (64 + bits_per_level - 1) / bits_per_level;

  explicit timer_wheel(std::uint64_t now_tick = 0) noexcept : now_(now_tick) {}
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  /// Arms `node` for `tick`. A tick that is not after now() is due: the next advance() returns the
  /// node, whatever time it is given. The node must not be linked. If it comes from an expired
  /// list, the caller must have read its `next` before. O(1).
  void insert(timer_node& node, std::uint64_t tick) noexcept;

  /// Removes `node`. Returns true when it was pending: it will not expire. Returns false, and
  /// changes nothing, when it has expired, was cancelled or was never inserted. O(1).
  bool cancel(timer_node& node) noexcept;

  /// Moves the current tick to `now_tick`. The current tick never moves back; an earlier `now_tick`
  /// counts as now(). Returns the expired nodes as a list, linked by `next` and ended by null.
  /// First come the nodes that were due at their insertion, in order of insertion. Then come all
  /// nodes with a tick up to `now_tick`, in order of tick, equal ticks in order of insertion. No
  /// node is returned before its tick.
  ///
  /// The nodes are out of the wheel: cancel() returns false for them. The caller may insert them
  /// again while it walks the list; no call already made can see that. The cost depends on the
  /// nodes that expire or move down, not on the distance.
  [[nodiscard]] timer_node* advance(std::uint64_t now_tick) noexcept;

  /// Returns the earliest tick at which advance() has something to do: an expiry, or moving far
  /// timers down a level. It is never later than the earliest pending timer. It is equal to that
  /// timer's tick when the timer is less than a turn of the lowest level away (same tick / 64 as
  /// now()). Otherwise up to ten such calls, each to the tick last returned, come before the timer
  /// expires. Returns now() when a node is due, and nothing when the wheel is empty.
  [[nodiscard]] std::optional<std::uint64_t> next_tick() const noexcept;

  [[nodiscard]] std::uint64_t now() const noexcept { return now_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  // The top level has only the digit values that fit into its 64 - 10 * 6 bits.
  static constexpr unsigned top_level = level_count - 1;
  static constexpr unsigned top_level_slots = 1U << (64 - top_level * bits_per_level);

  struct slot {
    unsigned level;
    unsigned digit;

    [[nodiscard]] std::size_t index() const noexcept {
      return std::size_t{level} * slots_per_level + digit;
    }
  };

  [[nodiscard]] slot slot_of(std::uint64_t tick) const noexcept;
  [[nodiscard]] std::optional<slot> first_slot() const noexcept;
  [[nodiscard]] std::uint64_t start_of(slot place) const noexcept;
  void link(timer_node& node) noexcept;

  // A list is a ring of nodes, known by its first node. The first node's `previous` is the last
  // node.
  std::array<timer_node*, top_level * slots_per_level + top_level_slots> lists_{};
  std::array<std::uint64_t, level_count> occupied_{};  // bit d of word l: list (l, d) is not empty
  timer_node* due_ = nullptr;                          // the pending nodes with tick <= now_
  std::uint64_t now_;
  std::size_t size_ = 0;
};

}  // namespace magpie::detail
