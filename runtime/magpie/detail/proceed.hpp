#pragma once

#include <coroutine>
#include <exception>
#include <magpie/detail/continuation.hpp>
#include <magpie/detail/join.hpp>

namespace magpie::detail {

/// Ends a spawned task: moves its outcome into `state` and destroys its frame, in which `failure`
/// lies. `failure` is empty for a result.
void end_task(task_state_base& state, std::exception_ptr& failure) noexcept;

/// Ends the body of `scope`. Returns the coroutine to resume.
[[nodiscard]] std::coroutine_handle<> end_body(nested_scope& scope) noexcept;

/// Continues after the end of a coroutine. Returns the coroutine to resume on this thread.
/// `failure` lies in the frame of the ended coroutine and is empty for a result.
[[nodiscard, gnu::always_inline]] inline std::coroutine_handle<> proceed(
    continuation then, std::exception_ptr& failure) noexcept {
  if (then.is_awaiter()) return then.awaiter();
  if (then.ends_child()) {
    join& target = *then.target_join();
    if (failure) [[unlikely]]
      target.note_failure(failure);
    return then.is_earlier_child() ? target.earlier_child_ended() : target.last_child_ended();
  }
  if (then.ends_body()) return end_body(then.ended_scope());
  end_task(then.ended_task(), failure);
  return std::noop_coroutine();
}

}  // namespace magpie::detail
