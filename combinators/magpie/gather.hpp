#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <magpie/errors.hpp>
#include <magpie/join.hpp>
#include <magpie/resumption.hpp>
#include <magpie/task.hpp>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace magpie {

namespace detail {

/// What a task's result becomes in a tuple.
template <class T>
using gathered = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
gathered<T> take_gathered(const task<T>& ended) {
  if constexpr (std::is_void_v<T>) {
    task_access::frame(ended).promise().take();
    return {};
  } else {
    return task_access::frame(ended).promise().take();
  }
}

inline void check_gather(bool all_valid) {
  static_cast<void>(this_worker("gather() to be awaited in a task on a runtime"));
  if (!all_valid) [[unlikely]] {
    throw_invalid_state(
        "gather() to be given tasks that have not been awaited, spawned or moved from");
  }
}

template <class... Ts>
class gather_awaiter {
 public:
  explicit gather_awaiter(task<Ts>&&... children) noexcept : children_(std::move(children)...) {}
  gather_awaiter(const gather_awaiter&) = delete;
  gather_awaiter& operator=(const gather_awaiter&) = delete;

  [[nodiscard]] bool await_ready() const {
    check_gather(std::apply([](const auto&... child) { return (bool(child) && ...); }, children_));
    return sizeof...(Ts) == 0;
  }

  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    attach(std::index_sequence_for<Ts...>());
    return join_.start(slots_.data(), sizeof...(Ts), parent);
  }

  std::tuple<gathered<Ts>...> await_resume() {
    join_.rethrow_first_failure();
    // Braces, so that the results are taken in order.
    return std::apply(
        [](const auto&... child) { return std::tuple<gathered<Ts>...>{take_gathered(child)...}; },
        children_);
  }

 private:
  template <std::size_t... Indices>
  void attach(std::index_sequence<Indices...>) noexcept {
    (slots_[Indices].attach(join_, std::get<Indices>(children_)), ...);
  }

  std::tuple<task<Ts>...> children_;
  std::array<join_slot, sizeof...(Ts)> slots_;
  join join_;
};

template <class T>
class gather_range_awaiter {
 public:
  explicit gather_range_awaiter(std::vector<task<T>>&& children) noexcept
      : children_(std::move(children)) {}
  gather_range_awaiter(const gather_range_awaiter&) = delete;
  gather_range_awaiter& operator=(const gather_range_awaiter&) = delete;

  [[nodiscard]] bool await_ready() {
    bool all_valid = true;
    for (const task<T>& child : children_) all_valid = all_valid && bool(child);
    check_gather(all_valid);
    if (children_.size() > most) throw_invalid_state("gather() to be given at most 2^32 - 1 tasks");
    slots_ = std::vector<join_slot>(children_.size());
    return children_.empty();
  }

  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    for (std::size_t i = 0; i < children_.size(); ++i) slots_[i].attach(join_, children_[i]);
    return join_.start(slots_.data(), static_cast<std::uint32_t>(slots_.size()), parent);
  }

  auto await_resume() {
    join_.rethrow_first_failure();
    if constexpr (!std::is_void_v<T>) {
      using element = std::conditional_t<std::is_reference_v<T>,
                                         std::reference_wrapper<std::remove_reference_t<T>>, T>;
      std::vector<element> results;
      results.reserve(children_.size());
      for (const task<T>& child : children_) results.push_back(take_gathered(child));
      return results;
    }
  }

 private:
  static constexpr std::size_t most = 0xffff'ffffU;

  std::vector<task<T>> children_;
  std::vector<join_slot> slots_;
  join join_;
};

}  // namespace detail

/// Runs lazy tasks concurrently and gives their results.
///
/// Awaited, starts the first child at once on this worker and offers the others to workers that
/// have nothing to do; when nobody takes them, they run here, one after the other. The awaiting
/// task goes on when all have ended, on the worker where the last one did.
///
/// Gives a tuple of the results in the order of the arguments, std::monostate for void. When
/// children fail: all the others run to their end all the same, then the failure that came first is
/// rethrown; results and further failures are dropped with the frames. The children belong to the
/// awaiting task: gather never returns while one of them runs.
///
/// Throws invalid_state outside of a task and for an empty child, before anything has started.
/// Allocates nothing but what the results need. What a child did happens before gather returns.
/// In asyncio: `await asyncio.gather(...)`, but for the waiting after a failure.
template <class... Ts>
[[nodiscard]] detail::gather_awaiter<Ts...> gather(task<Ts>... children) noexcept {
  return detail::gather_awaiter<Ts...>(std::move(children)...);
}

/// gather() of a vector, offered to other workers in halves: gives a vector of the results in the
/// same order (of std::reference_wrapper for tasks that return references), or nothing for tasks of
/// void. Allocates one block of bookkeeping and the result.
template <class T>
[[nodiscard]] detail::gather_range_awaiter<T> gather(std::vector<task<T>> children) noexcept {
  return detail::gather_range_awaiter<T>(std::move(children));
}

}  // namespace magpie
