#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/timer_node.hpp>
#include <optional>

namespace magpie::detail {

/// A hierarchical timer wheel over the whole range of 64-bit ticks. Insertion and cancellation are
/// O(1); a timer is touched at most `level_count` times until it expires, however far the clock
/// jumps. It never allocates and never throws. It is not thread-safe: its owner holds a lock.
///
/// After G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels: Data Structures for the
/// Efficient Implementation of a Timer Facility", SOSP 1987 (scheme 7). Unlike there, no level is
/// ever used as a ring: a tick is read as a number of base 64 with 11 digits, and
///
///   a pending timer is kept at the level of the highest digit in which its tick differs from the
///   wheel's current tick, in the slot named by its tick's digit there.
///
/// Four facts follow, and all of the code rests on them:
///  1. The place depends on the two ticks alone, so that cancel() finds it without storing it.
///  2. An occupied slot lies strictly ahead of the current digit of its level, so nothing wraps,
///     at the top level as little as at the others.
///  3. Whatever is at a lower level expires before everything at a higher one, so the lowest
///     occupied slot of the lowest occupied level is the next that matters.
///  4. Pending timers of one tick are always in one list, in the order of their insertion; moving
///     a list down in order keeps it so.
///
/// Timers still in the wheel when it is destroyed are forgotten, not notified; advance() to the
/// greatest tick takes them all out.
class timer_wheel {
 public:
  static constexpr unsigned bits_per_level = 6;
  static constexpr unsigned slots_per_level = 1U << bits_per_level;
  static constexpr unsigned level_count = (64 + bits_per_level - 1) / bits_per_level;

  explicit timer_wheel(std::uint64_t now_tick = 0) noexcept : now_(now_tick) {}
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  /// Arms `node` for `tick`. A tick that is not after now() is due: the next advance() hands the
  /// node out, whatever time it is given. The node must not be linked, and when it comes from an
  /// expired list, its `next` must have been read before. O(1).
  void insert(timer_node& node, std::uint64_t tick) noexcept;

  /// Takes `node` out. True when it was pending: it will not expire. False when it has expired, was
  /// cancelled, or was never inserted: nothing is changed. O(1).
  bool cancel(timer_node& node) noexcept;

  /// Moves the current tick to `now_tick` (it never moves back; an earlier value counts as now())
  /// and returns what has expired, linked by `next` and ended by null: nodes that were due at their
  /// insertion first, in order of insertion, then all with a tick up to `now_tick` in order of
  /// tick, equal ticks in order of insertion. No node is handed out before its tick. The nodes are
  /// out of the wheel: cancel() answers false, and they may be inserted again while the list is
  /// walked, which no call already made can see.
  /// The cost depends on the nodes that expire or move down, not on the distance.
  [[nodiscard]] timer_node* advance(std::uint64_t now_tick) noexcept;

  /// The earliest tick at which advance() has something to do: an expiry, or moving far timers down
  /// a level. Never later than the earliest pending timer; equal to it when that is less than a
  /// turn of the lowest level away (same tick / 64 as now()), else up to ten such calls, each to
  /// the tick last named, come before it expires. now() when a node is due; nothing when empty.
  [[nodiscard]] std::optional<std::uint64_t> next_tick() const noexcept;

  [[nodiscard]] std::uint64_t now() const noexcept { return now_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  // The top level has only the digit values that fit into the 64 - 10 * 6 bits left to it.
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

  // A list is a ring of nodes known by its first; the first one's `previous` is the last.
  std::array<timer_node*, top_level * slots_per_level + top_level_slots> lists_{};
  std::array<std::uint64_t, level_count> occupied_{};  // bit d of word l: list (l, d) is not empty
  timer_node* due_ = nullptr;                          // the pending nodes with tick <= now_
  std::uint64_t now_;
  std::size_t size_ = 0;
};

}  // namespace magpie::detail
