#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/delivery.hpp>
#include <magpie/detail/gather_handles.hpp>
#include <magpie/detail/join.hpp>
#include <magpie/detail/join_tree.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/errors.hpp>
#include <magpie/outcome.hpp>
#include <magpie/task.hpp>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace magpie {

namespace detail {

template <failures Are, class T>
[[nodiscard]] typename collected_result<Are, T>::in_tuple take_gathered(
    std::coroutine_handle<> ended) {
  auto& child = std::coroutine_handle<promise<T>>::from_address(ended.address()).promise();
  if constexpr (Are == failures::returned) {
    if (child.has_failure()) [[unlikely]]
      return outcome<T>(child.take_failure());
    if constexpr (std::is_void_v<T>) {
      return outcome<T>(std::in_place);
    } else {
      return outcome<T>(std::in_place, child.take_result());
    }
  } else if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return child.take_result();
  }
}

/// Stands for what take_gathered() gives until an element of the results is made of it. So the
/// element is made in place, and nothing is moved once more.
template <failures Are, class T>
struct gathered {
  std::coroutine_handle<> ended;

  operator typename collected_result<Are, T>::in_tuple() const {
    return take_gathered<Are, T>(ended);
  }
};

inline worker& gathering_worker(bool all_valid) {
  worker& here = this_worker("gather() to be awaited in a task on a runtime");
  if (!all_valid) [[unlikely]] {
    throw_invalid_state(
        "gather() to be given tasks that have not been awaited, spawned or moved from");
  }
  return here;
}

/// Called from await_suspend. A cancelled parent starts no children.
inline void check_before_children(const worker& here, std::coroutine_handle<> parent) {
  deliver_or_pass(this_scope(here), parent);
}

/// Called from await_resume, when the children have ended. A cancel request to the parent comes
/// before a child's failure.
template <failures Are>
void rethrow_for_parent(const join& ended) {
  deliver_or_pass(ended.scope(), ended.parent().awaiter());
  if constexpr (Are == failures::thrown) ended.rethrow_first_failure();
}

template <failures Are, class... Ts>
class gather_awaiter {
 public:
  explicit gather_awaiter(task<Ts>&&... children) noexcept
      : frames_{join::child_frame(task_access::release(std::move(children)))...},
        join_(frames_.data(), sizeof...(Ts)) {}
  gather_awaiter(gather_awaiter&& other) noexcept
      : frames_(std::exchange(other.frames_, {})),
        join_(frames_.data(), sizeof...(Ts)),
        once_(std::move(other.once_)) {}
  ~gather_awaiter() {
    for (std::size_t i = 0; i < sizeof...(Ts); ++i) {
      if (frames_[i] != 0) frame(i).destroy();
    }
  }

  [[nodiscard]] bool await_ready() {
    once_.begin();
    if constexpr (sizeof...(Ts) == 0) static_cast<void>(gathering_worker(true));
    return sizeof...(Ts) == 0;
  }

  [[nodiscard]] std::coroutine_handle<> await_suspend(task_coroutine parent) {
    worker& here = gathering_worker(all_valid(std::index_sequence_for<Ts...>()));
    check_before_children(here, parent);
    join_.set_parent(continuation(parent));
    attach(std::index_sequence_for<Ts...>());
    return join_.start(here, frames_[0], sizeof...(Ts));
  }

  auto await_resume() {
    // A join without children was never given a parent.
    if constexpr (sizeof...(Ts) != 0) rethrow_for_parent<Are>(join_);
    return take(std::index_sequence_for<Ts...>());
  }

 private:
  [[nodiscard]] std::coroutine_handle<> frame(std::size_t index) const noexcept {
    return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(frames_[index]));
  }

  template <std::size_t... Indices>
  [[nodiscard]] bool all_valid(std::index_sequence<Indices...>) const noexcept {
    return ((frames_[Indices] != 0) && ...);
  }

  template <std::size_t... Indices>
  void attach(std::index_sequence<Indices...>) noexcept {
    (std::coroutine_handle<promise<Ts>>::from_address(frame(Indices).address())
         .promise()
         .set_continuation({join_, Indices + 1 == sizeof...(Ts) ? continuation::child::last
                                                                : continuation::child::earlier}),
     ...);
  }

  template <std::size_t... Indices>
  auto take(std::index_sequence<Indices...>) {
    // Braces, so that the results are taken in order.
    return std::tuple<typename collected_result<Are, Ts>::in_tuple...>{
        gathered<Are, Ts>{frame(Indices)}...};
  }

  std::array<std::uintptr_t, sizeof...(Ts)> frames_;
  join join_;
  single_await once_;
};

template <failures Are, class T>
class gather_range_awaiter {
 public:
  explicit gather_range_awaiter(std::vector<task<T>>&& children) : tree_(children.size()) {
    for (std::size_t i = 0; i < children.size(); ++i) {
      const auto frame = task_access::release(std::move(children[i]));
      const continuation then = tree_.attach(i, frame);
      if (frame) {
        frame.promise().set_continuation(then);
      } else {
        all_valid_ = false;
      }
    }
  }
  gather_range_awaiter(gather_range_awaiter&&) noexcept = default;
  ~gather_range_awaiter() {
    for (std::size_t i = 0; i < tree_.size(); ++i) {
      if (const auto frame = tree_.frame(i)) frame.destroy();
    }
  }

  [[nodiscard]] bool await_ready() {
    static_cast<void>(gathering_worker(all_valid_));
    once_.begin();
    return tree_.size() == 0;
  }

  [[nodiscard]] std::coroutine_handle<> await_suspend(task_coroutine parent) {
    check_before_children(worker::here(), parent);
    return tree_.start(parent);
  }

  auto await_resume() {
    if (const join* const topmost = tree_.topmost()) rethrow_for_parent<Are>(*topmost);
    using element = typename collected_result<Are, T>::in_vector;
    if constexpr (!std::is_void_v<element>) {
      std::vector<element> results;
      results.reserve(tree_.size());
      for (std::size_t i = 0; i < tree_.size(); ++i) {
        results.emplace_back(gathered<Are, T>{tree_.frame(i)});
      }
      return results;
    }
  }

 private:
  join_tree tree_;
  bool all_valid_ = true;
  single_await once_;
};

}  // namespace detail

/// Runs lazy tasks concurrently and gives their results.
///
///     const auto [a, b] = co_await magpie::gather(fetch(1), fetch(2));
///
/// - Nothing starts until it is awaited. Then the first child starts at once on this worker, and
///   the others are offered to workers that have nothing to do. If no worker steals them, they run
///   here, one after the other. The awaiting task goes on when all have ended, on the worker where
///   the last one did.
/// - Gives a tuple of the results in the order of the arguments, std::monostate for void. Without
///   children it is ready at once.
/// - A failure cancels no child: all run to their end. Then the failure that came first is
///   rethrown; results and further failures are dropped with the frames. A child that ends by
///   `cancelled` without a request to the awaiting task counts as failed. Throws invalid_state
///   outside of a task and for an empty child, before anything has started.
/// - A cancel request to the awaiting task is delivered to each child, at the place where it is
///   suspended or at its next suspension. Children that have not started still do. gather waits for
///   all, then throws `cancelled`, whatever they return or throw. If a request is pending at the
///   await, no child starts.
/// - The children are part of the awaiting task: current_task() is the same, and gather never
///   returns while one of them runs. What a child did happens before gather returns.
/// - Allocates nothing but what the results need. For each child but the first it costs a push and
///   a pop of the worker's fork lane. If children are stolen or suspend, it costs one atomic
///   operation for each strand: a run of children one after the other.
///
/// In asyncio: `await asyncio.gather(...)`, which does not wait for the others after a failure.
template <class... Ts>
[[nodiscard]] auto gather(task<Ts>... children) noexcept {
  return detail::gather_awaiter<detail::failures::thrown, Ts...>(std::move(children)...);
}

/// The same, but no failure of a child is thrown: gives a tuple of outcome<T>, each a value, an
/// error or a cancellation. A cancel request to the awaiting task still ends it with `cancelled`,
/// when all children have ended. In asyncio: `await asyncio.gather(..., return_exceptions=True)`.
template <class... Ts>
[[nodiscard]] auto gather(return_exceptions_t, task<Ts>... children) noexcept {
  return detail::gather_awaiter<detail::failures::returned, Ts...>(std::move(children)...);
}

/// gather() of anything that can be awaited: tasks, handles, sleeps, acquisitions, and what other
/// combinators return. What is no task is awaited in a child of its own, which allocates a
/// coroutine frame.
///
///     co_await magpie::gather(magpie::sleep_for(1s), magpie::wait_for(fetch(url), 2s));
template <class... Awaitables>
  requires detail::mixed_children<Awaitables...>
[[nodiscard]] auto gather(Awaitables... children) {
  return gather(detail::as_task(std::move(children))...);
}
template <class... Awaitables>
  requires detail::mixed_children<Awaitables...>
[[nodiscard]] auto gather(return_exceptions_t, Awaitables... children) {
  return gather(return_exceptions, detail::as_task(std::move(children))...);
}

/// gather() of a vector. Gives a vector of the results in the same order (of std::reference_wrapper
/// for tasks that return references), or nothing for tasks of void. The children are offered to
/// other workers in halves. Allocates some 16 bytes a child for bookkeeping: this call throws
/// std::bad_alloc when there is no memory for it, and then nothing has started. The vector of
/// results is allocated when all children have ended.
template <class T>
[[nodiscard]] auto gather(std::vector<task<T>> children) {
  return detail::gather_range_awaiter<detail::failures::thrown, T>(std::move(children));
}

/// The same with a vector of outcome<T>, for void too. No failure of a child is thrown.
template <class T>
[[nodiscard]] auto gather(return_exceptions_t, std::vector<task<T>> children) {
  return detail::gather_range_awaiter<detail::failures::returned, T>(std::move(children));
}

/// gather() of any other container of tasks that is moved in, or of a view of tasks, which may make
/// them one by one; or of sleeps, acquisitions or other awaitables of one type, each of which is
/// awaited in a child of its own and allocates a coroutine frame. This call walks the range and
/// keeps the tasks in a vector. What the range throws is thrown by this call; the tasks made so far
/// are destroyed, and none has started.
template <detail::startable_range Children>
[[nodiscard]] auto gather(Children&& children) {
  return gather(detail::collect(detail::as_tasks(std::forward<Children>(children))));
}
template <detail::startable_range Children>
[[nodiscard]] auto gather(return_exceptions_t, Children&& children) {
  return gather(return_exceptions,
                detail::collect(detail::as_tasks(std::forward<Children>(children))));
}

}  // namespace magpie
