#pragma once

#include <coroutine>
#include <cstdint>
#include <magpie/detail/awaited_body.hpp>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/continuation.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/task.hpp>
#include <utility>

namespace magpie::detail {

/// A scope whose body magpie itself can cancel, for a reason of the scope's own: a race that is
/// won, a time that is over. It knows afterwards whether the body ended by that or by a request
/// from further out. The task gets no request: its cancelling() stays.
class abort_scope : public nested_scope {
 public:
  abort_scope() noexcept = default;
  ~abort_scope() = default;

  /// Makes a cancel request to what runs within. May be called again. Any thread, before the body,
  /// while it runs and after it, as long as the caller knows that this object exists: nothing waits
  /// for the call to return.
  void abort() noexcept;

  /// Returns true once abort(), or the like, has been called.
  [[nodiscard]] bool is_aborted() const noexcept { return has_own_request(); }

  /// For await_suspend, as the last step that can fail. Returns the continuation of the body.
  [[nodiscard]] continuation begin(std::coroutine_handle<> awaiting) noexcept {
    return begin(awaiting, &go_on_at_once);
  }

  /// Returns true if the body got a request from further out of which its awaiter had not been told
  /// before: one that has come since the beginning, or was still to be delivered then.
  [[nodiscard]] bool was_asked_from_outside() const noexcept {
    return last_from_outside() > told_before_;
  }

  /// For await_resume.
  void end() noexcept;

  /// After end(), or when no body could be made, in a handler for `cancelled`: returns if the abort
  /// caused it. Otherwise throws it again.
  void rethrow_unless_to_blame();

 protected:
  [[nodiscard]] continuation begin(std::coroutine_handle<> awaiting,
                                   end_function when_ended) noexcept;
  [[nodiscard]] bool has_begun() const noexcept { return awaiter() != nullptr; }

  /// After end(), when the body has ended with `cancelled`: returns true if a request from further
  /// out caused it. A request that had been delivered before the abort did not.
  [[nodiscard]] bool is_cancelled_from_outside() const noexcept {
    return last_from_outside() > last_before_ || is_overruled();
  }

 private:
  [[nodiscard]] static std::coroutine_handle<> go_on_at_once(end_hook& self,
                                                             const failure_word&) noexcept {
    return self.then().awaiter();
  }

  // At the beginning.
  std::uint64_t told_before_ = 0;  // what the awaiter's branch had been told
  std::uint64_t last_before_ = 0;  // the last request from further out
};

/// Awaits a task as the body of a scope that outlives it.
template <class T>
class body_in_scope {
 public:
  body_in_scope(abort_scope& around, task<T>&& body) : scope_(around) {
    body_.take(std::move(body));
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  [[nodiscard]] std::coroutine_handle<> await_suspend(task_coroutine awaiting) noexcept {
    return body_.followed_by(scope_.begin(awaiting));
  }

  T await_resume() {
    scope_.end();
    body_.rethrow_failure();
    return body_.take_result();
  }

 private:
  abort_scope& scope_;
  awaited_body<T> body_;
};

}  // namespace magpie::detail
