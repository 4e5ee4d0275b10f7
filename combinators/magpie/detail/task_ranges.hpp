#pragma once

#include <concepts>
#include <cstddef>
#include <magpie/detail/as_task.hpp>
#include <magpie/task.hpp>
#include <magpie/task_handle.hpp>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

// The ranges of tasks, handles and other awaitables that combinators take.

namespace magpie::detail {

template <class T>
inline constexpr bool is_handle = std::is_same_v<T, any_task_handle>;
template <class T>
inline constexpr bool is_handle<task_handle<T>> = true;

template <class T>
concept child = is_lazy_task<T> || other_awaitable<T>;

/// Arguments of a combinator that are neither all tasks nor all handles.
template <class... Ts>
concept mixed_children =
    (child<Ts> && ...) && !(is_lazy_task<Ts> && ...) && !(is_handle<Ts> && ...);

/// A container that is moved in, or a view, which may make its elements one by one.
template <class Range>
concept given_range =
    std::ranges::input_range<Range> &&
    (!std::is_lvalue_reference_v<Range> || std::ranges::view<std::remove_cvref_t<Range>>);

template <class Range>
concept lazy_range = given_range<Range> && is_lazy_task<std::ranges::range_value_t<Range>>;

/// Of awaitables that are neither tasks nor handles.
template <class Range>
concept awaitable_range =
    given_range<Range> && other_awaitable<std::ranges::range_value_t<Range>> &&
    !is_handle<std::ranges::range_value_t<Range>>;

/// Of tasks or other awaitables, which a combinator starts.
template <class Range>
concept startable_range = lazy_range<Range> || awaitable_range<Range>;

/// A range of handles. They are copied, unless their container is moved in.
template <class Range>
concept handle_range =
    std::ranges::input_range<Range> && is_handle<std::ranges::range_value_t<Range>>;

/// A range of handles that know the type of the result.
template <class Range>
concept typed_handle_range =
    handle_range<Range> && !std::is_same_v<std::ranges::range_value_t<Range>, any_task_handle>;

/// A range of any of these, of which each element gives a result.
template <class Range>
concept child_range = startable_range<Range> || typed_handle_range<Range>;

template <class Range>
inline constexpr bool gives_its_elements_away =
    startable_range<Range> ||
    (!std::is_lvalue_reference_v<Range> && !std::ranges::view<std::remove_cvref_t<Range>>);

/// Returns the elements of the range in a vector. A vector that is moved in is returned itself.
template <class Range>
[[nodiscard]] auto collect(Range&& range) {
  using element = std::ranges::range_value_t<Range>;
  if constexpr (std::is_same_v<Range, std::vector<element>>) {
    return std::vector<element>(std::move(range));
  } else {
    std::vector<element> all;
    if constexpr (std::ranges::sized_range<Range>) {
      all.reserve(static_cast<std::size_t>(std::ranges::size(range)));
    }
    auto at = std::ranges::begin(range);
    for (const auto end = std::ranges::end(range); at != end; ++at) {
      if constexpr (gives_its_elements_away<Range>) {
        all.push_back(std::ranges::iter_move(at));
      } else {
        all.push_back(*at);
      }
    }
    return all;
  }
}

/// As what a range gives one of its elements: to be moved from, or else to be copied.
template <class Range, class Element>
using given_element =
    std::conditional_t<gives_its_elements_away<Range> &&
                           !std::is_const_v<std::remove_reference_t<Element>>,
                       std::remove_cvref_t<Element>&&, const std::remove_cvref_t<Element>&>;

/// Returns a range of lazy tasks as it is. Of others, returns a view of lazy tasks, each of which
/// awaits one element.
template <lazy_range Range>
[[nodiscard]] Range&& as_tasks(Range&& range) noexcept {
  return std::forward<Range>(range);
}
template <child_range Range>
[[nodiscard]] auto as_tasks(Range&& range) {
  const auto as_one_task = []<class Element>(Element&& each)
    requires std::constructible_from<std::remove_cvref_t<Element>, given_element<Range, Element>>
  {
    using element = std::remove_cvref_t<Element>;
    return as_task(element(static_cast<given_element<Range, Element>>(each)));
  };
  return std::views::transform(std::views::all(std::forward<Range>(range)), as_one_task);
}

}  // namespace magpie::detail
