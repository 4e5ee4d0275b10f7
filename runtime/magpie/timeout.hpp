#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/abort_scope.hpp>
#include <magpie/detail/awaited_body.hpp>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/timer.hpp>
#include <magpie/errors.hpp>
#include <magpie/task.hpp>
#include <magpie/task_handle.hpp>
#include <optional>
#include <type_traits>
#include <utility>

namespace magpie {

/// The inside view of a running with_timeout(): its deadline, and what became of it. Lives as long
/// as the body runs; its members may be called from any thread meanwhile,
/// and return before it ends.
class timeout_scope : protected detail::abort_scope, private detail::timer {
 public:
  /// The time is over: what runs within has been asked to end.
  [[nodiscard]] bool expired() const noexcept { return is_aborted(); }

  /// When the time is over; nothing when there is no limit.
  [[nodiscard]] std::optional<time_point> deadline() noexcept;

  /// Sets the deadline anew: earlier, later, never (no_limit), or now, for a moment that has
  /// passed. True when it counts. False when the time is just running out, or is being rescheduled,
  /// on another thread.
  /// Throws invalid_state when it has run out, or the body has ended.
  bool reschedule(time_point deadline);
  template <class Rep, class Period>
  bool reschedule(std::chrono::duration<Rep, Period> from_now) {
    return reschedule(detail::deadline_for(from_now, now()));
  }

 protected:
  explicit timeout_scope(time_point deadline) noexcept : timer(&expire) {
    set_own_deadline(deadline);
  }
  timeout_scope(const timeout_scope&) = delete;
  timeout_scope& operator=(const timeout_scope&) = delete;
  ~timeout_scope() = default;

  /// In await_suspend, as the last thing that can fail. Gives what follows the body.
  [[nodiscard]] detail::continuation begin(std::coroutine_handle<> awaiting) noexcept;

 private:
  [[nodiscard]] time_point now() noexcept;
  [[nodiscard]] static std::coroutine_handle<> go_on(detail::nested_scope& self) noexcept;
  [[nodiscard]] static detail::job* expire(detail::timer& self) noexcept;

  /// Tells what runs within that the time is over. Gives the awaiter's job if the body ends
  /// meanwhile.
  [[nodiscard]] detail::job* run_out() noexcept;

  detail::resumption resumption_;  // of the awaiter, when the body has ended during the expiry

  // Guarded by the scope's lock.
  bool is_armed_ = false;   // the timer is in the wheel, or on its way out, or run_out() is at work
  bool is_arming_ = false;  // reschedule() is about to put it there
  bool has_ended_ = false;  // the body has
};

namespace detail {

/// What a timeout limits, and whether it is begun when there is no time at all.
enum class begins { always, in_time };

/// Runs a coroutine of type task<T> within a timeout. MakeBody gives it, called with the scope.
template <class T, begins When, class MakeBody>
class timeout_awaiter final : private timeout_scope {
 public:
  timeout_awaiter(time_point deadline, MakeBody make)
      : timeout_scope(deadline), make_(std::move(make)) {}

  [[nodiscard]] bool await_ready() const {
    static_cast<void>(this_worker("a timeout to be awaited in a task on a runtime"));
    return false;
  }

  template <class U>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<promise<U>> awaiting) {
    if (When == begins::in_time && own_deadline() == long_ago) throw timeout_error();
    body_.take(std::invoke(make_, static_cast<timeout_scope&>(*this)));
    return body_.followed_by(begin(awaiting));
  }

  T await_resume() {
    end();
    if (expired()) [[unlikely]]
      rethrow_cancellation();
    body_.rethrow_failure();
    return body_.take_result();
  }

 private:
  [[gnu::cold]] void rethrow_cancellation() {
    try {
      body_.rethrow_failure();
    } catch (const cancelled&) {
      rethrow_unless_to_blame();
      throw timeout_error();
    }
  }

  MakeBody make_;
  awaited_body<T> body_;
};

/// The body of a wait_for().
template <class T>
struct given_body {
  task<T> body;

  task<T> operator()(timeout_scope&) noexcept { return std::move(body); }
};

template <class T>
task<T> await_end(task_handle<T> awaited) {
  co_return co_await std::move(awaited);
}

/// How often the calling task, or a scope in it that the caller runs in, was asked to end.
[[nodiscard]] std::uint64_t requests_to_this_task() noexcept;

template <class T>
task<T> wait_for_end(task_handle<T> awaited, time_point deadline) {
  // Without any time it is not begun in a timeout, which would have the wait itself end before it
  // reaches the task.
  if (awaited.done()) co_return co_await std::move(awaited);
  if (deadline == long_ago && awaited.cancel()) {
    abort_scope around;
    try {
      body_in_scope<T> ending(around, await_end(std::move(awaited)));
      co_return co_await ending;
    } catch (const cancelled&) {
      if (around.was_asked_from_outside()) throw;
      throw timeout_error();
    }
  }
  timeout_awaiter<T, begins::always, given_body<T>> limited(
      deadline, given_body<T>{await_end(std::move(awaited))});
  co_return co_await limited;
}

template <class Body>
using body_result = typename std::invoke_result_t<Body&, timeout_scope&>::value_type;

}  // namespace detail

/// Awaits a task in the calling task, but no longer than `limit`: gives what it returns or throws
/// what it throws. When the time is over first, the task is cancelled, and when it has ended by
/// that, which may take as long as it likes, timeout_error is thrown; what it returns or throws
/// instead is passed on. With a limit of zero or less a lazy task is not begun. Nothing is
/// allocated.
///
/// Cancelling the calling task cancels the awaited one; then `cancelled` is thrown. Throws
/// invalid_state outside of a task and for an empty one. In asyncio: `await asyncio.wait_for(...)`.
template <class T, class Rep, class Period>
[[nodiscard]] auto wait_for(task<T> awaited, std::chrono::duration<Rep, Period> limit) {
  return detail::timeout_awaiter<T, detail::begins::in_time, detail::given_body<T>>(
      detail::deadline_for(limit), detail::given_body<T>{std::move(awaited)});
}

/// The same for a task that has been spawned: it is cancelled when the time is over, and awaited to
/// its end. To leave it running, limit a shield() of it.
template <class T, class Rep, class Period>
[[nodiscard]] task<T> wait_for(task_handle<T> awaited, std::chrono::duration<Rep, Period> limit) {
  return detail::wait_for_end(std::move(awaited), detail::deadline_for(limit));
}

/// Runs `body(scope)`, which gives a lazy task, in the calling task within a time limit that can be
/// asked and changed meanwhile: see timeout_scope. When the time is over the body is cancelled, and
/// if it ends by that, timeout_error is thrown; all else is as with wait_for(). A limit that has
/// passed from the beginning is told to the body at its first suspension or checkpoint().
///
/// Timeouts nest: who throws timeout_error is the outermost whose time is over.
/// In asyncio: `async with asyncio.timeout(...)`.
template <class Rep, class Period, class Body>
[[nodiscard]] auto with_timeout(std::chrono::duration<Rep, Period> limit, Body body) {
  return detail::timeout_awaiter<detail::body_result<Body>, detail::begins::always, Body>(
      detail::deadline_for(limit), std::move(body));
}

/// When the earliest of all timeouts around the caller is over; nothing when there is none. Throws
/// invalid_state outside of a task.
[[nodiscard]] std::optional<time_point> current_deadline();

}  // namespace magpie
