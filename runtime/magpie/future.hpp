#pragma once

#include <exception>
#include <future>
#include <magpie/task_handle.hpp>
#include <memory>
#include <type_traits>
#include <utility>

// Implements task_handle::as_future(). It has a header of its own because <future> is large.

namespace magpie {

namespace detail {

/// Waits for the end of a task and gives the outcome to a std::future. Then destroys itself.
template <class T>
class future_waiter final : public waiter {
 public:
  explicit future_waiter(task_handle<T> awaited) : waiter(&fulfil), handle_(std::move(awaited)) {}

  [[nodiscard]] static std::future<T> begin(task_handle<T> awaited) {
    task_state_base& state = handle_access::state(awaited);
    auto made = std::make_unique<future_waiter>(std::move(awaited));
    std::future<T> result = made->promise_.get_future();
    // From here on it belongs to the thread that runs it.
    future_waiter* const begun = made.release();
    if (!state.add_waiter(*begun)) begun->fulfil();
    return result;
  }

 private:
  static void fulfil(job& self, worker&) noexcept { static_cast<future_waiter&>(self).fulfil(); }

  void fulfil() noexcept {
    const std::unique_ptr<future_waiter> self(this);
    try {
      if constexpr (std::is_void_v<T>) {
        take_result(handle_);
        promise_.set_value();
      } else {
        promise_.set_value(take_result(handle_));
      }
    } catch (...) {
      promise_.set_exception(std::current_exception());
    }
  }

  const task_handle<T> handle_;
  std::promise<T> promise_;
};

}  // namespace detail

template <class T>
auto task_handle<T>::as_future() const& {
  return detail::future_waiter<T>::begin(*this);
}

template <class T>
auto task_handle<T>::as_future() && {
  return detail::future_waiter<T>::begin(std::move(*this));
}

}  // namespace magpie
