#pragma once

#include <atomic>
#include <functional>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/mutex.hpp>
#include <magpie/task.hpp>
#include <optional>
#include <type_traits>
#include <utility>

namespace magpie {

/// Something that is done once, by the first task that needs it.
///
///     magpie::once connected;
///     co_await connected.call(connect);  // in any number of tasks
///
/// - The others wait for the first. If its call throws, or is cancelled, that concerns its own
///   caller alone, and the first of those that wait calls anew.
/// - First come, first served. What the call did happens before the end of each call(). It must
///   outlive its calls.
/// - A call() when it is done costs its frame.
///
/// In the standard library: `std::call_once`, which blocks threads. In asyncio: no counterpart.
class once {
 public:
  /// Awaited, returns when what `make()` returns, a task or another awaitable, has been awaited
  /// with success, here or in another call(). Gives nothing. Throws what the own call throws, and
  /// invalid_state outside of a task. A cancel request to the awaiting task ends its wait, or
  /// reaches its call.
  template <class Make>
  [[nodiscard]] task<> call(Make make) {
    if (is_done()) co_return;
    const mutex::guard held = co_await calling_.lock();
    if (is_done()) co_return;
    co_await std::invoke(make);
    done_.store(true, std::memory_order_release);
  }

  [[nodiscard]] bool is_done() const noexcept { return done_.load(std::memory_order_acquire); }

 private:
  mutex calling_;
  // false -> true once (release), by the holder of the mutex.
  std::atomic<bool> done_{false};
};

/// A value that is computed by the first task that asks for it.
///
///     magpie::lazy<config> settings(read_config);
///     const config& now = co_await settings.get();  // in any number of tasks
///
/// The others wait for the first. If the computation throws, or is cancelled, that concerns its own
/// caller alone, and the first of those that wait computes anew. It must outlive its get()s.
template <class T>
class lazy {
 public:
  /// `make()` returns a task of T, or another awaitable that gives one. It is called by each
  /// computation, never twice at a time.
  template <class Make>
    requires std::is_convertible_v<detail::awaited_result<std::invoke_result_t<Make&>>, T>
  explicit lazy(Make make)
      : make_([made_by = std::move(make)]() mutable -> task<T> {
          co_return co_await std::invoke(made_by);
        }) {}

  /// Awaited, gives the value, which lives as long as this object. Throws what the own computation
  /// throws, and invalid_state outside of a task. A cancel request to the awaiting task ends its
  /// wait, or reaches its computation.
  [[nodiscard]] task<const T&> get() {
    co_await computed_.call([this]() -> task<> { value_.emplace(co_await make_()); });
    co_return *value_;
  }

  /// Returns the value, or null if it has not been computed.
  [[nodiscard]] const T* try_get() const noexcept {
    return computed_.is_done() ? &*value_ : nullptr;
  }

 private:
  std::function<task<T>()> make_;
  once computed_;
  std::optional<T> value_;
};

}  // namespace magpie
