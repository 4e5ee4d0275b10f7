#pragma once

#include <magpie/runtime.hpp>
#include <magpie/task_handle.hpp>
#include <utility>

namespace magpie {

namespace detail {

/// Waits for a task without passing a request to cancel on to it.
class shielded_wait : private leaf_wait {
 public:
  explicit shielded_wait(task_state_base& awaited) noexcept
      : leaf_wait(shielded_operations), awaited_(awaited) {}

  [[nodiscard]] bool await_ready() const;
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> suspended);
  void await_resume() { resume(); }

 private:
  friend leaf_wait;

  static void stop_waiting(scope_member& self, cancel_round& round) noexcept;
  [[nodiscard]] wait_description describe() const noexcept {
    return {.what = "shielded task", .awaited = &awaited_};
  }
  static const operations shielded_operations;

  task_state_base& awaited_;
};

}  // namespace detail

/// Awaits a task that has been spawned and keeps it from being cancelled by that: gives what it
/// returns or throws what it throws. When the caller is cancelled, or a timeout around it is over,
/// the wait ends with `cancelled` at once, and the task goes on. Throws invalid_state outside of a
/// task, and when a task awaits itself. In asyncio: `await asyncio.shield(...)`.
template <class T>
[[nodiscard]] task<T> shield(task_handle<T> awaited) {
  co_await detail::shielded_wait(detail::handle_access::state(awaited));
  co_return co_await std::move(awaited);
}

/// The same for a lazy task, which is spawned when the shield is awaited.
template <class T>
[[nodiscard]] task<T> shield(task<T> awaited) {
  task_handle<T> spawned = spawn(std::move(awaited));
  co_await detail::shielded_wait(detail::handle_access::state(spawned));
  co_return co_await std::move(spawned);
}

}  // namespace magpie
