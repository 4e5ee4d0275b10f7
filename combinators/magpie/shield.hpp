#pragma once

#include <magpie/detail/task_coroutine.hpp>
#include <magpie/runtime.hpp>
#include <magpie/task_handle.hpp>
#include <utility>

namespace magpie {

namespace detail {

/// Waits for a task without forwarding a cancel request to it.
class shielded_wait : private leaf_wait {
 public:
  explicit shielded_wait(task_state_base& awaited) noexcept
      : leaf_wait(operations_of<shielded_wait>), awaited_(awaited) {}

  [[nodiscard]] bool await_ready() const;
  [[nodiscard]] bool await_suspend(task_coroutine suspended);
  void await_resume() { resume(); }

 private:
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept { return awaited_.remove_waiter(*this); }
  [[nodiscard]] wait_description describe() const noexcept {
    return {.what = "shielded task", .awaited = &awaited_};
  }

  task_state_base& awaited_;
};

}  // namespace detail

/// Awaits a spawned task and protects it from cancel requests to the caller. co_await returns what
/// the task returns, or throws what it throws. Throws invalid_state outside of a task, and if a
/// task awaits itself.
///
/// When the caller is cancelled, or a timeout around it expires, the wait ends at once with
/// `cancelled` and the task goes on. In asyncio: `await asyncio.shield(...)`.
template <class T>
[[nodiscard]] task<T> shield(task_handle<T> awaited) {
  co_await detail::shielded_wait(detail::handle_access::state(awaited));
  co_return co_await std::move(awaited);
}

/// The same for a lazy task. The shield spawns it when the shield is awaited.
template <class T>
[[nodiscard]] task<T> shield(task<T> awaited) {
  task_handle<T> spawned = spawn(std::move(awaited));
  co_await detail::shielded_wait(detail::handle_access::state(spawned));
  co_return co_await std::move(spawned);
}

}  // namespace magpie
