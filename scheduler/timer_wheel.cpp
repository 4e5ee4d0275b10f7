#include "scheduler/timer_wheel.hpp"

#include <bit>
#include <magpie/detail/check.hpp>
#include <utility>

namespace magpie::detail {

namespace {

void append(timer_node*& first, timer_node& node) noexcept {
  if (first == nullptr) {
    node.next = node.previous = &node;
    first = &node;
    return;
  }
  node.next = first;
  node.previous = first->previous;
  node.previous->next = &node;
  first->previous = &node;
}

void remove(timer_node*& first, timer_node& node) noexcept {
  if (node.next == &node) {
    first = nullptr;
  } else {
    node.next->previous = node.previous;
    node.previous->next = node.next;
    if (first == &node) {
      first = node.next;
    }
  }
  node.next = node.previous = nullptr;
}

// Empties a ring. Gives each node, unlinked, to `receive`, which may link it anywhere.
template <class Receive>
void take_all(timer_node*& first, Receive receive) noexcept {
  timer_node* node = std::exchange(first, nullptr);
  if (node == nullptr) {
    return;
  }
  node->previous->next = nullptr;
  while (node != nullptr) {
    timer_node* following = node->next;
    node->next = node->previous = nullptr;
    receive(*node);
    node = following;
  }
}

}  // namespace

// Only for tick > now_. Otherwise no bit may differ, and a lower digit would not lie ahead.
timer_wheel::slot timer_wheel::slot_of(std::uint64_t tick) const noexcept {
  const auto highest_bit = static_cast<unsigned>(std::bit_width(tick ^ now_)) - 1;
  const unsigned level = highest_bit / bits_per_level;
  const auto digit = static_cast<unsigned>(tick >> (level * bits_per_level)) % slots_per_level;
  return {level, digit};
}

std::optional<timer_wheel::slot> timer_wheel::first_slot() const noexcept {
  for (unsigned level = 0; level < level_count; ++level) {
    if (occupied_[level] != 0) {
      return slot{level, static_cast<unsigned>(std::countr_zero(occupied_[level]))};
    }
  }
  return std::nullopt;
}

// Returns the least tick that the slot can hold: the current tick's digits above the slot's level,
// the slot's digit, then zeros.
std::uint64_t timer_wheel::start_of(slot place) const noexcept {
  const unsigned shift = place.level * bits_per_level;
  const std::uint64_t digits_above = (now_ >> shift) & ~std::uint64_t{slots_per_level - 1};
  return (digits_above | place.digit) << shift;
}

void timer_wheel::link(timer_node& node) noexcept {
  if (node.tick <= now_) {
    append(due_, node);
    return;
  }
  const slot place = slot_of(node.tick);
  append(lists_[place.index()], node);
  occupied_[place.level] |= std::uint64_t{1} << place.digit;
}

void timer_wheel::insert(timer_node& node, std::uint64_t tick) noexcept {
  MAGPIE_CHECK(!node.is_linked(), "a timer node is armed once at a time");
  node.tick = tick;
  link(node);
  ++size_;
}

bool timer_wheel::cancel(timer_node& node) noexcept {
  if (!node.is_linked()) {
    return false;
  }
  --size_;
  if (node.tick <= now_) {
    remove(due_, node);
    return true;
  }
  const slot place = slot_of(node.tick);
  timer_node*& first = lists_[place.index()];
  remove(first, node);
  if (first == nullptr) {
    occupied_[place.level] &= ~(std::uint64_t{1} << place.digit);
  }
  return true;
}

timer_node* timer_wheel::advance(std::uint64_t now_tick) noexcept {
  timer_node* expired = nullptr;
  timer_node** end = &expired;
  const auto expire = [&](timer_node& node) noexcept {
    *end = &node;
    end = &node.next;
    --size_;
  };

  take_all(due_, expire);
  while (const std::optional<slot> place = first_slot()) {
    const std::uint64_t start = start_of(*place);
    if (start > now_tick) {
      break;
    }
    // The current digit of this level becomes the slot's digit. So what the slot holds now belongs
    // to lower levels, and a node with the slot's first tick has expired. Nothing is skipped: by
    // fact 3 no other pending tick lies between the old now_ and the new one.
    now_ = start;
    occupied_[place->level] &= ~(std::uint64_t{1} << place->digit);
    take_all(lists_[place->index()], [&](timer_node& node) noexcept {
      if (node.tick == now_) {
        expire(node);
      } else {
        link(node);
      }
    });
  }
  // No slot starts at or before now_tick, so every pending tick keeps its place. The new now_
  // agrees with the old one in all digits above each occupied slot, and is still behind the slot.
  if (now_ < now_tick) {
    now_ = now_tick;
  }
  return expired;
}

std::optional<std::uint64_t> timer_wheel::next_tick() const noexcept {
  if (due_ != nullptr) {
    return now_;
  }
  const std::optional<slot> place = first_slot();
  return place ? std::optional{start_of(*place)} : std::nullopt;
}

}  // namespace magpie::detail
