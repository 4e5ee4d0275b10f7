#include <magpie/detail/branch.hpp>

#include <magpie/detail/end_hook.hpp>
#include <magpie/task.hpp>

namespace magpie::detail {

namespace {

/// Returns what awaits a coroutine, in its branch or beyond a join; null for the first of a task.
promise_base* awaiting(promise_base& awaited) noexcept {
  const continuation* then = &awaited.then();
  for (;;) {
    if (const join* const above = then->target_join()) {
      then = &above->parent();
    } else if (then->has_hook()) {
      then = &then->hook().then();
    } else {
      return then->is_awaiter() ? &promise_base::of(then->awaiter()) : nullptr;
    }
  }
}

}  // namespace

std::uint64_t told_to(std::coroutine_handle<> at) noexcept {
  promise_base* const innermost = &promise_base::of(at);
  promise_base* up = innermost;
  while (up != nullptr && !up->told_word().knows_told()) up = awaiting(*up);
  const std::uint64_t number = up != nullptr ? up->told_word().told() : 0;
  for (promise_base* each = innermost; each != up; each = awaiting(*each)) {
    each->told_word().set_told(number);
  }
  return number;
}

void set_told(std::coroutine_handle<> at, std::uint64_t number) noexcept {
  promise_base::of(at).told_word().set_told(number);
}

void promise_base::hand_on_told() noexcept {
  if (then_.is_awaiter()) {
    set_told(then_.awaiter(), failure_.told());
  } else if (then_.has_hook()) {
    then_.hook().note_told(failure_.told());
  }
}

void promise_base::rethrow_failure_slowly() {
  if (failure_.has_failure()) std::rethrow_exception(failure_.take_failure());
  if (then_.is_awaiter()) hand_on_told();
}

}  // namespace magpie::detail
