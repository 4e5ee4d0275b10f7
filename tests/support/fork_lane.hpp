#pragma once

namespace magpie::test {

/// All of a push, whatever it asks its caller to do. False when there was no memory to grow.
template <class Lane, class Item>
[[nodiscard]] bool push(Lane& lane, Item& item) {
  auto result = lane.push(item);
  while (result == Lane::push_result::full) {
    if (!lane.make_room()) return false;
    result = lane.push(item);
  }
  if (result == Lane::push_result::marked) lane.answer();
  return true;
}

/// All of a pop_if: whether it popped.
template <class Lane, class Item>
[[nodiscard]] bool pop_if(Lane& lane, const Item& item) {
  const auto result = lane.pop_if(item);
  return result == Lane::pop_if_result::popped ||
         (result == Lane::pop_if_result::marked && lane.finish_pop_if());
}

}  // namespace magpie::test
