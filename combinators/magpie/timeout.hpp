#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/as_task.hpp>
#include <magpie/detail/awaited_body.hpp>
#include <magpie/detail/branch.hpp>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/job.hpp>
#include <magpie/detail/region.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/timer.hpp>
#include <magpie/errors.hpp>
#include <magpie/task.hpp>
#include <magpie/task_handle.hpp>
#include <optional>
#include <type_traits>
#include <utility>

namespace magpie {

/// What a body sees of the with_timeout() that runs it: the deadline, and whether it has passed.
/// Lives as long as the body runs. Any thread may call its members in that time, and every call
/// must return before the body ends.
class timeout_scope : protected detail::region, private detail::timer {
 public:
  /// Returns true once the timeout has expired: the time was over while the body ran, or the body
  /// has got the cancel request of a deadline that had passed before.
  [[nodiscard]] bool expired() const noexcept {
    return has_fired_.load(std::memory_order_acquire) || own_request_was_delivered();
  }

  /// Returns the deadline; nothing if there is no limit.
  [[nodiscard]] std::optional<time_point> deadline() noexcept;

  /// Sets a new deadline: earlier, later, never (no_limit, or time_point::max()), or, for a moment
  /// that has passed, now: then the body is cancelled where it is suspended, or at its next
  /// suspension. Returns true if it takes effect. Returns false if the timeout is just expiring, or
  /// being rescheduled, on another thread. Throws invalid_state if it has expired or the body has
  /// ended.
  bool reschedule(time_point deadline);
  template <class Rep, class Period>
  bool reschedule(std::chrono::duration<Rep, Period> from_now) {
    return reschedule(detail::deadline_for(from_now, now()));
  }

 protected:
  timeout_scope() noexcept : timer(&expire) {}
  timeout_scope(const timeout_scope&) = delete;
  timeout_scope& operator=(const timeout_scope&) = delete;
  ~timeout_scope() = default;

  /// For await_suspend. The time begins. No other thread uses this scope before begin().
  void set_limit(duration limit, time_point now) noexcept MAGPIE_UNCHECKED_LOCKING {
    set_own_deadline(limit == no_limit ? time_point::max() : deadline_after(limit, now));
  }
  /// After that, as the last step that can fail. Returns the continuation of the body.
  [[nodiscard]] detail::continuation begin(std::coroutine_handle<> awaiting,
                                           time_point now) noexcept MAGPIE_UNCHECKED_LOCKING;

 private:
  [[nodiscard]] time_point now() noexcept;
  [[nodiscard]] static std::coroutine_handle<> go_on(detail::end_hook& self,
                                                     const detail::failure_word&) noexcept;
  [[nodiscard]] static detail::job* expire(detail::timer& self) noexcept;

  /// Disarms the timer, which then does not hold the scope any more. Returns false if the timer is
  /// on its way out of the wheel.
  [[nodiscard]] bool try_disarm(detail::scheduler& timers) noexcept MAGPIE_REQUIRES(this);
  void arm_anew(time_point deadline) noexcept;

  // The timer is in the wheel, on its way in, or on its way out. It holds the scope.
  bool is_armed_ MAGPIE_GUARDED_BY(this) = false;
  bool is_arming_ MAGPIE_GUARDED_BY(this) = false;     // a thread in arm_anew() holds the scope
  bool has_notified_ MAGPIE_GUARDED_BY(this) = false;  // or is about to notify the members
  std::atomic<bool> has_fired_{false};                 // the time was over while the body ran
};

namespace detail {

/// Runs a task<T> within a timeout. MakeBody makes the task: it is called with the scope. Its
/// needs_time() returns whether the body does not even begin when there is no time at all.
template <class T, class MakeBody>
class timeout_awaiter final : private timeout_scope {
 public:
  timeout_awaiter(duration limit, MakeBody make) : limit_(limit), make_(std::move(make)) {}
  timeout_awaiter(timeout_awaiter&& other)
      : limit_(other.limit_), make_(std::move(other.make_)), once_(std::move(other.once_)) {}

  [[nodiscard]] bool await_ready() {
    static_cast<void>(this_worker("a timeout to be awaited in a task on a runtime"));
    once_.begin();
    return false;
  }

  [[nodiscard]] std::coroutine_handle<> await_suspend(task_coroutine awaiting) {
    if (limit_ == duration::zero() && make_.needs_time()) throw timeout_error();
    const time_point now = magpie::now();
    set_limit(limit_, now);
    body_.take(make_(static_cast<timeout_scope&>(*this)));
    return body_.followed_by(begin(awaiting, now));
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
      if (is_cancelled_from_outside()) throw;
      throw timeout_error();
    }
  }

  const duration limit_;
  MakeBody make_;
  awaited_body<T> body_;
  single_await once_;
};

template <class T>
struct lazy_body {
  task<T> body;

  [[nodiscard]] static bool needs_time() noexcept { return true; }
  task<T> operator()(timeout_scope&) noexcept { return std::move(body); }
};

template <class T>
struct spawned_body {
  task_handle<T> awaited;

  [[nodiscard]] static bool needs_time() noexcept { return false; }
  task<T> operator()(timeout_scope&) { return as_task(std::move(awaited)); }
};

template <class Body>
using body_result = awaited_result<std::invoke_result_t<Body&, timeout_scope&>>;

template <class Body>
struct scoped_body {
  Body make;

  [[nodiscard]] static bool needs_time() noexcept { return false; }
  task<body_result<Body>> operator()(timeout_scope& scope) {
    return as_task(std::invoke(make, scope));
  }
};

/// Awaited, tells whether a request waits to be delivered to the caller.
class request_pending {
 public:
  [[nodiscard]] bool await_ready() const noexcept { return this_scope(worker::here()).due() == 0; }
  [[nodiscard]] bool await_suspend(task_coroutine caller) noexcept {
    is_pending_ = this_scope(worker::here()).due() > told_to(caller);
    return false;
  }
  [[nodiscard]] bool await_resume() const noexcept { return is_pending_; }

 private:
  bool is_pending_ = false;
};

template <class T>
task<T> wait_for_end(task_handle<T> awaited, duration limit) {
  if (awaited.done()) co_return co_await std::move(awaited);
  // Without any time, a timeout would end the wait before the wait reaches the task. So this
  // cancels the task and awaits it in a scope that is no timeout. A request that came before has
  // precedence: the wait forwards it.
  const bool without_time = limit == duration::zero();
  if (without_time && co_await request_pending()) co_return co_await std::move(awaited);
  if (without_time && awaited.cancel()) {
    abort_scope around;
    try {
      body_in_scope<T> ending(around, as_task(std::move(awaited)));
      co_return co_await ending;
    } catch (const cancelled&) {
      if (around.was_asked_from_outside()) throw;
      throw timeout_error();
    }
  }
  timeout_awaiter<T, spawned_body<T>> limited(limit, {std::move(awaited)});
  co_return co_await limited;
}

}  // namespace detail

/// Awaits a task as part of the calling task, for no longer than `limit` after the await. co_await
/// returns what the task returns, or throws what it throws. When the time is over first, the task
/// is cancelled and awaited to its end, which may take as long as it likes. If the task ends with
/// `cancelled` by that, timeout_error is thrown; if it returns or throws something else, that is
/// the outcome. With a limit of zero or less, a lazy task does not begin, and timeout_error is
/// thrown. Throws invalid_state outside of a task and for an empty task.
///
/// A cancel request to the calling task cancels the awaited task; then `cancelled` is thrown.
/// Allocates nothing. In asyncio: `await asyncio.wait_for(...)`.
template <class T, class Rep, class Period>
[[nodiscard]] auto wait_for(task<T> awaited, std::chrono::duration<Rep, Period> limit) {
  return detail::timeout_awaiter<T, detail::lazy_body<T>>(detail::saturated(limit),
                                                          {std::move(awaited)});
}

/// The same for a sleep, an acquisition or any other awaitable. Allocates a coroutine frame.
template <detail::other_awaitable Awaitable, class Rep, class Period>
[[nodiscard]] auto wait_for(Awaitable awaited, std::chrono::duration<Rep, Period> limit) {
  return wait_for(detail::as_task(std::move(awaited)), limit);
}

/// The same for a spawned task: when the time is over, it is cancelled and awaited to its end. With
/// a limit of zero or less, a task that is done gives its result, and any other is cancelled. To
/// leave the task running, limit a shield() of it. Allocates coroutine frames.
template <class T, class Rep, class Period>
[[nodiscard]] task<T> wait_for(task_handle<T> awaited, std::chrono::duration<Rep, Period> limit) {
  return detail::wait_for_end(std::move(awaited), detail::saturated(limit));
}

/// Runs the lazy task that `body(scope)` returns, or awaits what else it returns, as part of the
/// calling task, within a time limit. The scope shows the limit and can change it while the body
/// runs: see timeout_scope. co_await returns what the task returns, or throws what it throws. When
/// the time is over, the body is cancelled; if it ends with `cancelled` by that, timeout_error is
/// thrown. All else is as with wait_for(), but with a limit of zero or less the body begins, and
/// the request is delivered at its first suspension or checkpoint().
///
/// Timeouts nest: of those that have expired, the outermost throws timeout_error.
///
///     auto page = co_await magpie::with_timeout(2s, [&](magpie::timeout_scope& limit) {
///       return fetch(url, limit);  // a task
///     });
///
/// In asyncio: `async with asyncio.timeout(...)`.
template <class Rep, class Period, class Body>
[[nodiscard]] auto with_timeout(std::chrono::duration<Rep, Period> limit, Body body) {
  return detail::timeout_awaiter<detail::body_result<Body>, detail::scoped_body<Body>>(
      detail::saturated(limit), {std::move(body)});
}

/// Returns the earliest deadline of all timeouts around the caller; nothing if there is none.
/// Throws invalid_state outside of a task.
[[nodiscard]] std::optional<time_point> current_deadline();

}  // namespace magpie
