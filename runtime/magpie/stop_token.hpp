#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <magpie/detail/abort_scope.hpp>
#include <magpie/detail/awaited_body.hpp>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/errors.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace magpie {

namespace detail {

/// Stops a token once whatever was cancelled has been told.
struct stop_request final : foreign_call {
  stop_request() : foreign_call(&stop) {}

  static void stop(foreign_call& self) noexcept {
    static_cast<stop_request&>(self).source.request_stop();
  }

  std::stop_source source;
};

/// What stops a token when the scope is to end that it is a member of: the scope of a coroutine
/// that awaits the body. It is no wait: nothing withdraws it.
class stop_member : private leaf_wait {
 protected:
  stop_member() : leaf_wait(stop_operations), request_(std::make_shared<stop_request>()) {}
  ~stop_member() = default;

  [[nodiscard]] std::stop_token token() const noexcept { return request_->source.get_token(); }

  /// In await_suspend: false when the coroutine has been told to end instead.
  [[nodiscard]] bool begin(std::coroutine_handle<> awaiting) noexcept;
  /// In await_resume: throws `cancelled` when begin() said false.
  void end();

 private:
  static void stop(scope_member& self, cancel_round& round) noexcept;
  static const operations stop_operations;

  const std::shared_ptr<stop_request> request_;
  std::uint64_t requests_before_ = 0;  // how many requests there were when the body began
  bool is_stopped_ = false;            // guarded by the scope's lock
};

template <class T, class MakeBody>
class stop_token_awaiter final : private stop_member {
 public:
  explicit stop_token_awaiter(MakeBody make) : make_(std::move(make)) {}

  [[nodiscard]] bool await_ready() const {
    static_cast<void>(this_worker("with_stop_token() to be awaited in a task on a runtime"));
    return false;
  }

  template <class U>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<promise<U>> awaiting) {
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
};

/// A scope that is to end when a token is stopped.
class stoppable_scope : protected abort_scope {
 protected:
  explicit stoppable_scope(std::stop_token token) noexcept : token_(std::move(token)) {}
  ~stoppable_scope() = default;

  /// In await_suspend, as the last thing that can fail. Gives what follows the body. Throws
  /// `cancelled` when the token has been stopped.
  [[nodiscard]] continuation begin(std::coroutine_handle<> awaiting);

  /// After end(), when the body ended by `cancelled`: that counts for what is asked from further
  /// out, too.
  void absorb_requests() noexcept;

 private:
  struct stop {
    stoppable_scope* scope;

    void operator()() const noexcept { scope->abort(); }
  };

  [[nodiscard]] static std::coroutine_handle<> go_on(nested_scope& self) noexcept;

  const std::stop_token token_;
  std::optional<std::stop_callback<stop>> callback_;  // while the body runs
};

template <class T>
class stopped_by_awaiter final : private stoppable_scope {
 public:
  stopped_by_awaiter(std::stop_token token, task<T>&& awaited) : stoppable_scope(std::move(token)) {
    body_.take(std::move(awaited));
  }

  [[nodiscard]] bool await_ready() const {
    static_cast<void>(this_worker("stopped_by() to be awaited in a task on a runtime"));
    return false;
  }

  template <class U>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<promise<U>> awaiting) {
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
};

}  // namespace detail

/// Runs `body(token)`, which gives a lazy task, in the calling task, and stops the token when the
/// task is asked to end, or a timeout around it is over: for libraries that are cancelled by a
/// std::stop_token, and for loops that compute and look. The body's own waits end with `cancelled`
/// as always; a body that has only seen the token may return, and what it returns is the result.
///
/// A stopped token stays so, also when the request is taken back. Its callbacks run on the thread
/// that asks the task to end, or that keeps the time; they must not block there, nor wait for
/// tasks. The token is stopped when all that waits has been told: a body may have gone on by then,
/// or have ended.
///
/// When the task has been asked to end before, `cancelled` is thrown and the body does not begin.
/// Throws invalid_state outside of a task, std::bad_alloc.
template <class Body>
[[nodiscard]] auto with_stop_token(Body body) {
  using made = std::invoke_result_t<Body&, std::stop_token>;
  return detail::stop_token_awaiter<typename made::value_type, Body>(std::move(body));
}

/// Awaits a task in the calling task, and cancels it when the token is stopped, by whatever thread:
/// gives what it returns or throws what it throws, which is `cancelled` when it ends by that. A
/// task whose token has been stopped before does not begin. Nothing is allocated.
///
/// The calling task itself is not asked to end: its cancelling() stays as it is. When it is, the
/// awaited task is cancelled as always. Throws invalid_state outside of a task and for an empty
/// one.
template <class T>
[[nodiscard]] auto stopped_by(std::stop_token token, task<T> awaited) {
  return detail::stopped_by_awaiter<T>(std::move(token), std::move(awaited));
}

}  // namespace magpie
