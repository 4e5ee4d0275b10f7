#pragma once

#include <coroutine>
#include <magpie/detail/continuation.hpp>
#include <magpie/detail/end_hook.hpp>
#include <magpie/detail/failure_word.hpp>
#include <magpie/detail/join.hpp>

namespace magpie::detail {

/// Ends a spawned task: moves its outcome into `state` and destroys its frame, in which `failure`
/// lies.
void end_task(task_state_base& state, failure_word& failure) noexcept;

/// Continues after the end of a coroutine, in whose frame `failure` lies. Returns the coroutine to
/// resume on this thread.
[[nodiscard, gnu::always_inline]] inline std::coroutine_handle<> proceed(
    continuation then, failure_word& failure) noexcept {
  if (then.is_awaiter()) return then.awaiter();
  if (then.ends_child()) {
    if (failure.has_failure()) [[unlikely]]
      then.target_join()->note_failure(failure);
    return join::child_ended(then);
  }
  if (then.has_hook()) return then.hook().ended(failure);
  end_task(then.ended_task(), failure);
  return std::noop_coroutine();
}

}  // namespace magpie::detail
