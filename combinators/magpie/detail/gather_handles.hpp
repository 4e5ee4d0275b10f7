#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <magpie/detail/completion_watch.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/outcome.hpp>
#include <magpie/task_handle.hpp>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace magpie {

namespace detail {

/// Returns the result of an ended task, or its outcome.
template <failures Are, class T>
[[nodiscard]] typename collected_result<Are, T>::in_tuple take_from_handle(
    const task_handle<T>& handle) {
  if constexpr (Are == failures::returned) {
    if (std::exception_ptr error = handle_access::state(handle).error()) {
      return outcome<T>(std::move(error));
    }
    if constexpr (std::is_void_v<T>) {
      return outcome<T>(std::in_place);
    } else {
      return outcome<T>(std::in_place, take_result(handle));
    }
  } else if constexpr (std::is_void_v<T>) {
    take_result(handle);
    return {};
  } else {
    return take_result(handle);
  }
}

/// Awaits spawned tasks. Derived has their handles: `size()`, `watch_all(watch)`, and `take()` for
/// the results.
template <failures Are, class Derived>
class gather_handles_base {
 public:
  [[nodiscard]] bool await_ready() {
    auto& derived = static_cast<Derived&>(*this);
    once_.begin();
    watch_ =
        completion_watch(derived.size(), Are == failures::thrown ? deciding_end::failure_or_cancel
                                                                 : deciding_end::none);
    derived.watch_all(watch_);
    return wait_.begin(watch_.size());
  }

  [[nodiscard]] bool await_suspend(task_coroutine suspended) {
    return wait_.suspend_until(suspended);
  }

  auto await_resume() {
    try {
      wait_.resume_after_wait();
      if (task_state_base* const first = watch_.decisive()) std::rethrow_exception(first->error());
      return static_cast<Derived&>(*this).take();
    } catch (...) {
      watch_.observe_all();
      throw;
    }
  }

 protected:
  gather_handles_base() noexcept
      : wait_(watch_, requests_to_wait::are_passed_on, "gathered task") {}
  gather_handles_base(gather_handles_base&& other) noexcept
      : wait_(watch_, requests_to_wait::are_passed_on, "gathered task"),
        once_(std::move(other.once_)) {}
  ~gather_handles_base() = default;

  /// Called by Derived's destructor, before the handles are destroyed.
  void stop_watching() noexcept { watch_ = completion_watch(); }

 private:
  completion_watch watch_;
  completion_wait wait_;
  single_await once_;
};

template <failures Are, class... Ts>
class gather_handles_awaiter final
    : public gather_handles_base<Are, gather_handles_awaiter<Are, Ts...>> {
 public:
  explicit gather_handles_awaiter(task_handle<Ts>&&... handles) noexcept
      : handles_(std::move(handles)...) {}
  gather_handles_awaiter(gather_handles_awaiter&&) noexcept = default;
  ~gather_handles_awaiter() { this->stop_watching(); }

  [[nodiscard]] static std::size_t size() noexcept { return sizeof...(Ts); }
  void watch_all(completion_watch& watch) const {
    std::apply([&](const auto&... each) { (watch.watch(handle_access::state(each)), ...); },
               handles_);
  }
  [[nodiscard]] auto take() const {
    return std::apply(
        [](const auto&... each) {
          // Braces, so that the results are taken in order.
          return std::tuple<typename collected_result<Are, Ts>::in_tuple...>{
              take_from_handle<Are, Ts>(each)...};
        },
        handles_);
  }

 private:
  std::tuple<task_handle<Ts>...> handles_;
};

template <failures Are, class T>
class gather_handle_range_awaiter final
    : public gather_handles_base<Are, gather_handle_range_awaiter<Are, T>> {
 public:
  explicit gather_handle_range_awaiter(std::vector<task_handle<T>>&& handles) noexcept
      : handles_(std::move(handles)) {}
  gather_handle_range_awaiter(gather_handle_range_awaiter&&) noexcept = default;
  ~gather_handle_range_awaiter() { this->stop_watching(); }

  [[nodiscard]] std::size_t size() const noexcept { return handles_.size(); }
  void watch_all(completion_watch& watch) const {
    for (const task_handle<T>& each : handles_) watch.watch(handle_access::state(each));
  }
  auto take() const {
    using element = typename collected_result<Are, T>::in_vector;
    if constexpr (std::is_void_v<element>) {
      for (const task_handle<T>& each : handles_) take_result(each);
    } else {
      std::vector<element> results;
      results.reserve(handles_.size());
      for (const task_handle<T>& each : handles_) {
        results.push_back(take_from_handle<Are, T>(each));
      }
      return results;
    }
  }

 private:
  std::vector<task_handle<T>> handles_;
};

template <failures Are, class T>
[[nodiscard]] auto gather_handle_range(std::vector<task_handle<T>>&& handles) {
  return gather_handle_range_awaiter<Are, T>(std::move(handles));
}

}  // namespace detail

/// Waits for spawned tasks and gives their results.
///
/// - Starts nothing: the tasks run on their own. A task that has ended before the await counts as
///   the others do.
/// - Awaited, gives a tuple of the results in the order of the arguments, std::monostate for void.
///   A handle may be given twice; its result is then in both places.
/// - The first task that fails, or ends as cancelled, ends the gather at once. Its exception is
///   rethrown, even if the cancellation concerned that task alone. The other tasks go on and are
///   not cancelled. Their results stay with their other handles. Their failures, past and to come,
///   count as observed.
/// - A cancel request to the awaiting task, or by a timeout around it, is forwarded to all tasks
///   that have not ended. The gather waits for all of them, then throws `cancelled`, whatever they
///   return or throw. Only if one of them awaits this task in its turn, it throws at once. A
///   request that comes when the gather is over is not forwarded, but `cancelled` is thrown.
/// - A result is moved out of its task if its handle was moved in and is the last one; else it is
///   copied. Where it cannot be copied, invalid_state is thrown. It is also thrown outside of a
///   task, and for the awaiting task's own handle.
/// - Costs the results and one block of some 60 bytes a handle.
///
/// In asyncio: `await asyncio.gather(...)` of tasks; there a cancelled gather does not wait.
template <class... Ts>
  requires(sizeof...(Ts) > 0)
[[nodiscard]] auto gather(task_handle<Ts>... handles) noexcept {
  return detail::gather_handles_awaiter<detail::failures::thrown, Ts...>(std::move(handles)...);
}

/// The same, but it waits for all tasks, throws none of their failures, and gives a tuple of
/// outcome<T>. In asyncio: `await asyncio.gather(..., return_exceptions=True)`.
template <class... Ts>
  requires(sizeof...(Ts) > 0)
[[nodiscard]] auto gather(return_exceptions_t, task_handle<Ts>... handles) noexcept {
  return detail::gather_handles_awaiter<detail::failures::returned, Ts...>(std::move(handles)...);
}

/// gather() of any range of handles. They are copied, unless their container is moved in. Gives a
/// vector of the results in the same order (of std::reference_wrapper for tasks that return
/// references), or nothing for tasks of void. With return_exceptions, gives a vector of outcome<T>.
template <detail::typed_handle_range Handles>
[[nodiscard]] auto gather(Handles&& handles) {
  return detail::gather_handle_range<detail::failures::thrown>(
      detail::collect(std::forward<Handles>(handles)));
}
template <detail::typed_handle_range Handles>
[[nodiscard]] auto gather(return_exceptions_t, Handles&& handles) {
  return detail::gather_handle_range<detail::failures::returned>(
      detail::collect(std::forward<Handles>(handles)));
}

}  // namespace magpie
