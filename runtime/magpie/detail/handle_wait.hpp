#pragma once

#include <coroutine>
#include <cstdint>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/misuse.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/detail/thread_annotations.hpp>

namespace magpie::detail {

/// For await_ready: returns whether `awaited` has ended. Throws invalid_state if the caller is a
/// part of `awaited` itself or of no task; for the latter, `expected` completes the message.
[[nodiscard]] inline bool is_done_for_another(const task_state_base& awaited,
                                              const char* expected) {
  if (&this_scope(this_worker(expected)).root() == &awaited) [[unlikely]]
    throw_invalid_state("a task to await another task, not itself");
  return awaited.is_done();
}

/// Awaits the end of a spawned task. Forwards a cancel request to that task, whose end is then the
/// answer.
class handle_wait : private leaf_wait {
 public:
  [[nodiscard]] bool await_ready() const {
    return is_done_for_another(awaited_, "a handle to be awaited in a task on a runtime");
  }

 protected:
  explicit handle_wait(task_state_base& awaited) noexcept
      : leaf_wait(handle_operations), awaited_(awaited) {}
  ~handle_wait() = default;

  /// The caller holds a handle of the task until it is resumed.
  [[nodiscard]] bool suspend_until_end(std::coroutine_handle<> suspended) noexcept;

  /// For await_resume.
  void resume_after_end() {
    if (has_suspended()) resume_from_wait();
  }

  /// Returns true if suspend_until_end() has been called.
  [[nodiscard]] bool has_suspended() const noexcept { return coroutine != nullptr; }

  task_state_base& awaited_;

 private:
  friend leaf_wait;

  static void pass_on(scope_member& self, cancel_round& round) noexcept;
  void break_ring() noexcept MAGPIE_REQUIRES(*scope);
  [[nodiscard]] wait_description describe() const noexcept {
    return {.what = "task", .awaited = &awaited_};
  }
  static const operations handle_operations;
  void resume_from_wait() MAGPIE_UNCHECKED_LOCKING;

  std::uint64_t passed_round_ MAGPIE_GUARDED_BY(*scope) = 0;  // the last that was forwarded
  std::uint64_t passed_on_ MAGPIE_GUARDED_BY(*scope) = 0;     // the last request that was forwarded
};

}  // namespace magpie::detail
