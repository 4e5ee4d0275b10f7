#include <magpie/detail/handle_wait.hpp>

#include <algorithm>
#include <magpie/detail/branch.hpp>

namespace magpie::detail {

bool handle_wait::suspend_until_end(std::coroutine_handle<> suspended) noexcept {
  for (;;) {
    if (suspend(suspended, [this] { return awaited_.add_waiter(*this); })) return true;
    // The task is done, or a request was delivered before the wait. That is forwarded to the task
    // all the same, unless the task is done.
    if (found() == cancel_scope::delivery::none) return false;
    if (!awaited_.pass_on(scope->root(), reason_found())) return false;
    forget_found();
  }
}

constexpr leaf_wait::operations handle_wait::handle_operations{&pass_on, &describe_as<handle_wait>};

void handle_wait::pass_on(scope_member& self, cancel_round& round) noexcept {
  auto& wait = static_cast<handle_wait&>(self);
  wait.scope->assume_locked();
  if (wait.passed_round_ == round.number() || !wait.is_news()) return;
  if (!round.try_pass_on()) return round.come_again();
  if (&wait.awaited_ == &round.origin()) return wait.break_ring();
  switch (wait.awaited_.try_pass_on(round)) {
    case task_state_base::passing::passed_on:
      wait.passed_round_ = round.number();
      wait.passed_on_ = wait.scope->due();
      break;
    case task_state_base::passing::lock_not_free:
      round.come_again();
      break;
    case task_state_base::passing::already_done:
      break;
  }
}

/// The awaited task waits for the end of this one, in a ring, so this wait is withdrawn.
void handle_wait::break_ring() noexcept {
  if (awaited_.remove_waiter(*this)) submit_withdrawn();
}

/// The outcome of the awaited task answers the requests that were forwarded to it. No round finds
/// this wait once it has left the scope.
void handle_wait::resume_from_wait() {
  if (!is_in_scope()) return resume();
  const std::uint64_t due = leave_scope();
  if (due <= passed_on_) {
    if (due != 0) set_told(coroutine, std::max(told_to(coroutine), due));
  } else {
    scope->deliver_or_pass(coroutine);
  }
}

}  // namespace magpie::detail
