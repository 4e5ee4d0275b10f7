#pragma once

#include <magpie/detail/as_task.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/runtime.hpp>
#include <magpie/task_handle.hpp>
#include <magpie/timeout.hpp>
#include <source_location>
#include <utility>

namespace magpie {

namespace detail {

/// Waits for a task without forwarding a cancel request to it.
class shielded_wait : private leaf_wait {
 public:
  [[nodiscard]] bool await_ready();
  [[nodiscard]] bool await_suspend(task_coroutine suspended);

  [[nodiscard]] bool done() const noexcept { return awaited_.is_done(); }

 protected:
  explicit shielded_wait(task_state_base& awaited) noexcept
      : leaf_wait(operations_of<shielded_wait>), awaited_(awaited) {}
  shielded_wait(shielded_wait&&) noexcept = default;
  ~shielded_wait() = default;

  void resume_after_wait() { resume(); }

 private:
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept { return awaited_.remove_waiter(*this); }
  void describe(wait_descriptions& into) const noexcept {
    into.add({.what = "shielded task", .awaited = &awaited_});
  }

  task_state_base& awaited_;
  single_await once_;
};

template <class T>
class [[nodiscard]] shielded final : public shielded_wait {
 public:
  explicit shielded(task_handle<T>&& awaited) noexcept
      : shielded_wait(handle_access::state(awaited)), awaited_(std::move(awaited)) {}

  T await_resume() {
    resume_after_wait();
    return take_result(awaited_);
  }

 private:
  task_handle<T> awaited_;
};

template <class T>
struct shielded_body {
  shielded<T> awaited;

  [[nodiscard]] bool needs_time() const noexcept { return !awaited.done(); }
  task<T> operator()(timeout_scope&) { return as_task(std::move(awaited)); }
};

template <class T>
task<T> spawn_and_shield(task<T> lazy, std::source_location called_at) {
  co_return co_await shielded<T>(spawn(std::move(lazy), {.spawned_at = called_at}));
}

}  // namespace detail

/// Awaits a spawned task and protects it from cancel requests to the caller. co_await returns what
/// the task returns, or throws what it throws. Throws invalid_state outside of a task, and if a
/// task awaits itself. Allocates nothing.
///
/// When the caller is cancelled, or a timeout around it expires, the wait ends at once with
/// `cancelled` and the task goes on. In asyncio: `await asyncio.shield(...)`.
template <class T>
[[nodiscard]] auto shield(task_handle<T> awaited) noexcept {
  return detail::shielded<T>(std::move(awaited));
}

/// The same for a lazy task. The shield spawns it when the shield is awaited. Allocates a coroutine
/// frame.
template <class T>
[[nodiscard]] task<T> shield(task<T> awaited,
                             std::source_location called_at = std::source_location::current()) {
  return detail::spawn_and_shield(std::move(awaited), called_at);
}

/// The same for any other awaitable.
template <detail::other_awaitable Awaitable>
[[nodiscard]] auto shield(Awaitable awaited,
                          std::source_location called_at = std::source_location::current()) {
  return shield(detail::as_task(std::move(awaited)), called_at);
}

/// wait_for() a shielded task, which goes on when the time is over. With a limit of zero or less, a
/// task that is done gives its result. Allocates a coroutine frame.
template <class T, class Rep, class Period>
[[nodiscard]] auto wait_for(detail::shielded<T> awaited, std::chrono::duration<Rep, Period> limit) {
  return detail::timeout_awaiter<T, detail::shielded_body<T>>(detail::saturated(limit),
                                                              {std::move(awaited)});
}

}  // namespace magpie
