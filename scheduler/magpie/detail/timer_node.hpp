#pragma once

#include <cstdint>

namespace magpie::detail {

/// A link of a timer wheel: one pending timer. It lives inside what waits (an awaiter derives from
/// it), so arming a timer allocates nothing.
///
/// While the node is linked its fields belong to the wheel: they are read and written only under
/// the lock of the wheel's owner, and the node must neither move nor die. After expiry `next`
/// belongs to the receiver of the expired list, and `tick` still holds the tick at which the timer
/// was due.
struct timer_node {
  timer_node() noexcept = default;
  timer_node(const timer_node&) = delete;
  timer_node& operator=(const timer_node&) = delete;

  /// True from insertion until expiry or cancellation.
  [[nodiscard]] bool is_linked() const noexcept { return previous != nullptr; }

  timer_node* next = nullptr;
  timer_node* previous = nullptr;  // null exactly when no wheel holds the node
  std::uint64_t tick = 0;
};

static_assert(sizeof(timer_node) <= 32, "it is part of every frame that sleeps");

}  // namespace magpie::detail
