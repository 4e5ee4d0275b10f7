#pragma once

#include <coroutine>
#include <cstdint>
#include <magpie/detail/awaited_body.hpp>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/continuation.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/task.hpp>
#include <utility>

namespace magpie::detail {

/// A scope whose body can be asked to end from within magpie, for a reason of the scope's own: a
/// race that is won, a time that is over. It tells afterwards whether the body ended by that, or
/// because somebody further out asked for it. The task is not asked: its cancelling() stays.
class abort_scope : public nested_scope {
 public:
  abort_scope() noexcept = default;
  ~abort_scope() = default;

  /// Asks what runs within to end. May be called again. Any thread, before the body, while it runs
  /// and after it, as long as this object is known to be there: nothing waits for the call to
  /// return.
  void abort() noexcept;

  /// Somebody has called abort(), or the like.
  [[nodiscard]] bool is_aborted() const noexcept {
    return (word(std::memory_order_acquire) & asked) != 0;
  }

  /// In await_suspend, as the last thing that can fail. Gives what follows the body.
  [[nodiscard]] continuation begin(std::coroutine_handle<> awaiting) noexcept {
    return begin(awaiting, &go_on_at_once);
  }

  /// Since the beginning, somebody further out has asked for an end.
  [[nodiscard]] bool was_asked_from_outside() const noexcept {
    return parent().requests_so_far() > requests_before_;
  }

  /// In await_resume.
  void end() noexcept { leave(); }

  /// After end(), or when no body could be made, in a handler for `cancelled`: returns if that is
  /// the abort's doing. If not, throws `cancelled`, and the task has been told of what is asked
  /// from further out.
  void rethrow_unless_to_blame();

  /// The same time: if anything was asked from further out since the beginning, it is told again,
  /// at the next place. For an awaiter that throws something else.
  void ask_again() noexcept;

 protected:
  [[nodiscard]] continuation begin(std::coroutine_handle<> awaiting,
                                   end_function when_ended) noexcept;

 private:
  [[nodiscard]] static std::coroutine_handle<> go_on_at_once(nested_scope& self) noexcept {
    return self.awaiter();
  }

  [[nodiscard]] bool has_begun() const noexcept { return awaiter() != nullptr; }
  // How many requests from further out had been delivered at the beginning.
  std::uint64_t requests_before_ = 0;
};

/// Awaits a task as the body of a scope that outlives it.
template <class T>
class body_in_scope {
 public:
  body_in_scope(abort_scope& around, task<T>&& body) : scope_(around) {
    body_.take(std::move(body));
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
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
