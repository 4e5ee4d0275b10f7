#pragma once

#include <concepts>
#include <coroutine>
#include <magpie/task.hpp>
#include <type_traits>
#include <utility>

// Turns whatever a task can await into a lazy task, so that what runs tasks takes sleeps, handles,
// timeouts and combinators as well.

namespace magpie::detail {

template <class T>
concept awaiter = requires(T& each) {
  { each.await_ready() } -> std::convertible_to<bool>;
  each.await_resume();
};

/// Returns what `co_await std::forward<Awaitable>(awaited)` uses.
template <class Awaitable>
decltype(auto) awaiter_of(Awaitable&& awaited) {
  if constexpr (requires { std::forward<Awaitable>(awaited).operator co_await(); }) {
    return std::forward<Awaitable>(awaited).operator co_await();
  } else if constexpr (requires { operator co_await(std::forward<Awaitable>(awaited)); }) {
    return operator co_await(std::forward<Awaitable>(awaited));
  } else {
    return std::forward<Awaitable>(awaited);
  }
}

template <class T>
inline constexpr bool is_lazy_task = false;
template <class T>
inline constexpr bool is_lazy_task<task<T>> = true;

/// What can be awaited, by value, and is no task.
template <class T>
concept other_awaitable = !is_lazy_task<T> && std::move_constructible<T> && requires(T&& each) {
  requires awaiter<decltype(awaiter_of(std::move(each)))>;
};

template <class T>
struct awaited_type {
  using given = decltype(awaiter_of(std::declval<T>()).await_resume());
  using type = std::conditional_t<std::is_lvalue_reference_v<given>, given,
                                  std::remove_cv_t<std::remove_reference_t<given>>>;
};
template <class T>
struct awaited_type<task<T>> {
  using type = T;
};

/// The type that the await of a `T` by value gives.
template <class T>
using awaited_result = typename awaited_type<T>::type;

template <class T>
[[nodiscard]] task<T> as_task(task<T>&& lazy) noexcept {
  return std::move(lazy);
}
template <other_awaitable Awaitable>
[[nodiscard]] task<awaited_result<Awaitable>> as_task(Awaitable awaited) {
  co_return co_await std::move(awaited);
}

}  // namespace magpie::detail
