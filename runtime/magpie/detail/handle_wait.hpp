#pragma once

#include <coroutine>
#include <cstddef>
#include <magpie/detail/forwarding_wait.hpp>
#include <magpie/detail/misuse.hpp>
#include <magpie/detail/task_state.hpp>

namespace magpie::detail {

/// For await_ready: returns whether `awaited` has ended. Throws invalid_state if the caller is a
/// part of `awaited` itself or of no task; for the latter, `expected` completes the message.
[[nodiscard]] inline bool is_done_for_another(const task_state_base& awaited,
                                              const char* expected) {
  if (&task_of(this_scope(this_worker(expected))) == &awaited) [[unlikely]]
    throw_invalid_state("a task to await another task, not itself");
  return awaited.is_done();
}

/// Awaits the end of a spawned task. Forwards a cancel request to that task, whose end is then the
/// answer.
class handle_wait : private forwarding_wait {
 public:
  [[nodiscard]] bool await_ready() const {
    return is_done_for_another(awaited_, "a handle to be awaited in a task on a runtime");
  }

 protected:
  explicit handle_wait(task_state_base& awaited) noexcept
      : forwarding_wait(forwarding_operations_of<handle_wait>), awaited_(awaited) {}
  ~handle_wait() = default;

  /// The caller holds a handle of the task until it is resumed.
  [[nodiscard]] bool suspend_until_end(std::coroutine_handle<> suspended) noexcept;

  /// For await_resume.
  void resume_after_end();

  /// Returns true if suspend_until_end() has been called.
  [[nodiscard]] bool has_suspended() const noexcept { return coroutine != nullptr; }

  task_state_base& awaited_;

 private:
  friend leaf_wait;
  friend forwarding_wait;

  static void notify(scope_member& self, cancel_round& round) noexcept;
  [[nodiscard]] task_state_base* awaited(std::size_t number) noexcept {
    return number == 0 ? &awaited_ : nullptr;
  }
  [[nodiscard]] bool withdraw() noexcept { return awaited_.remove_waiter(*this); }
  void describe(wait_descriptions& into) const noexcept {
    into.add({.what = "task", .awaited = &awaited_});
  }
};

}  // namespace magpie::detail
