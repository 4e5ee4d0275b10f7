#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <magpie/detail/abort_scope.hpp>
#include <magpie/detail/awaited_body.hpp>
#include <magpie/detail/cancel_round.hpp>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/errors.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace magpie {

namespace detail {

/// Stops a token after a cancel request has reached everything that waits.
struct stop_request final : foreign_call {
  stop_request() : foreign_call(&stop) {}

  static void stop(foreign_call& self) noexcept {
    static_cast<stop_request&>(self).source.request_stop();
  }

  std::stop_source source;
};

/// A member that stops a token when its scope gets a cancel request. Its scope is that of the
/// coroutine that awaits the body. It is not a wait: nothing withdraws it.
class stop_member : private leaf_wait {
 protected:
  stop_member() : leaf_wait(stop_operations), request_(std::make_shared<stop_request>()) {}
  stop_member(stop_member&& other) noexcept
      : leaf_wait(std::move(other)), request_(std::move(other.request_)) {}
  ~stop_member() = default;

  [[nodiscard]] std::stop_token token() const noexcept { return request_->source.get_token(); }

  /// For await_suspend: returns false if a cancel request has been delivered to the coroutine
  /// instead.
  [[nodiscard]] bool begin(std::coroutine_handle<> awaiting) noexcept;
  /// For await_resume: throws `cancelled` if begin() returned false.
  void end();

 private:
  static void stop(scope_member& self, cancel_round& round) noexcept;
  static const operations stop_operations;

  std::shared_ptr<stop_request> request_;
  bool is_stopped_ MAGPIE_GUARDED_BY(*scope) = false;
};

template <class T, class MakeBody>
class stop_token_awaiter final : private stop_member {
 public:
  explicit stop_token_awaiter(MakeBody make) : make_(std::move(make)) {}
  stop_token_awaiter(stop_token_awaiter&& other)
      : stop_member(std::move(other)),
        make_(std::move(other.make_)),
        once_(std::move(other.once_)) {}

  [[nodiscard]] bool await_ready() {
    static_cast<void>(this_worker("with_stop_token() to be awaited in a task on a runtime"));
    once_.begin();
    return false;
  }

  [[nodiscard]] std::coroutine_handle<> await_suspend(task_coroutine awaiting) {
    body_.take(std::invoke(make_, token()));
    if (!begin(awaiting)) return awaiting;
    return body_.followed_by(continuation(awaiting));
  }

  T await_resume() {
    end();
    body_.rethrow_failure();
    return body_.take_result();
  }

 private:
  MakeBody make_;
  awaited_body<T> body_;
  single_await once_;
};

/// A scope that is aborted when a token is stopped.
class stoppable_scope : protected abort_scope {
 protected:
  explicit stoppable_scope(std::stop_token token) noexcept : token_(std::move(token)) {}
  stoppable_scope(stoppable_scope&& other) noexcept : token_(std::move(other.token_)) {}
  ~stoppable_scope() = default;

  /// For await_suspend, as the last step that can fail. Returns the continuation of the body.
  /// Throws `cancelled` if the token has been stopped.
  [[nodiscard]] continuation begin(std::coroutine_handle<> awaiting);

  /// Called after end(), if the body ended with `cancelled`. That exception then also delivers the
  /// pending requests of outer scopes.
  void absorb_requests() noexcept;

 private:
  struct stop {
    stoppable_scope* scope;

    void operator()() const noexcept { scope->abort(); }
  };

  [[nodiscard]] static std::coroutine_handle<> go_on(end_hook& self, const failure_word&) noexcept;

  std::stop_token token_;
  std::optional<std::stop_callback<stop>> callback_;  // while the body runs
};

template <class T>
class stopped_by_awaiter final : private stoppable_scope {
 public:
  stopped_by_awaiter(std::stop_token token, task<T>&& awaited) : stoppable_scope(std::move(token)) {
    body_.take(std::move(awaited));
  }
  stopped_by_awaiter(stopped_by_awaiter&& other) noexcept
      : stoppable_scope(std::move(other)),
        body_(std::move(other.body_)),
        once_(std::move(other.once_)) {}

  [[nodiscard]] bool await_ready() {
    static_cast<void>(this_worker("stopped_by() to be awaited in a task on a runtime"));
    once_.begin();
    return false;
  }

  [[nodiscard]] std::coroutine_handle<> await_suspend(task_coroutine awaiting) {
    return body_.followed_by(begin(awaiting));
  }

  T await_resume() {
    end();
    if (is_aborted()) [[unlikely]]
      rethrow_cancellation();
    body_.rethrow_failure();
    return body_.take_result();
  }

 private:
  [[gnu::cold]] void rethrow_cancellation() {
    try {
      body_.rethrow_failure();
    } catch (const cancelled&) {
      absorb_requests();
      throw;
    }
  }

  awaited_body<T> body_;
  single_await once_;
};

}  // namespace detail

/// Runs the lazy task that `body(token)` returns as part of the calling task. Stops the token when
/// the calling task is cancelled or a timeout around it expires. For libraries that are cancelled
/// by a std::stop_token, and for loops that compute and look at the token.
///
/// co_await returns what the task returns, or throws what it throws. The waits of the body end with
/// `cancelled` as always. A body that has only seen the token may return, and what it returns is
/// the result. If a cancel request is pending, throws `cancelled`, and the task does not begin.
/// Throws invalid_state outside of a task and for an empty task, and std::bad_alloc.
///
/// A stopped token stays stopped, also if the request is taken back. The token is stopped after the
/// request has reached everything that waits, so the body may have gone on, or ended, by then. The
/// token's callbacks run on the thread that makes the request; after a timeout, on a thread of the
/// runtime that brings the requests of other timeouts, too. They must not block there, nor wait for
/// tasks.
///
///     auto found = co_await magpie::with_stop_token([&](std::stop_token token) {
///       return search(index, token);  // a task
///     });
template <class Body>
[[nodiscard]] auto with_stop_token(Body body) {
  using made = std::invoke_result_t<Body&, std::stop_token>;
  return detail::stop_token_awaiter<typename made::value_type, Body>(std::move(body));
}

/// Awaits a task as part of the calling task, and cancels it when the token is stopped, by whatever
/// thread. co_await returns what the task returns, or throws what it throws: `cancelled` if it ends
/// by that. If the token has been stopped before, throws `cancelled`, and the task does not begin.
/// Throws invalid_state outside of a task and for an empty task.
///
/// The token does not cancel the calling task itself: its cancelling() stays as it is. A cancel
/// request to the calling task cancels the awaited task as always. Allocates nothing.
template <class T>
[[nodiscard]] auto stopped_by(std::stop_token token, task<T> awaited) {
  return detail::stopped_by_awaiter<T>(std::move(token), std::move(awaited));
}

}  // namespace magpie
