#include <magpie/task_handle.hpp>

namespace magpie::detail {

bool handle_awaiter_base::suspend_until_end(std::coroutine_handle<> suspended) noexcept {
  while (!lock_to_wait(suspended)) {
    // Told of a request before the wait: it is the awaited task's all the same, if it is not done.
    if (!awaited_.pass_on(scope->root().cancel_reason())) return false;
    forget_found();
  }
  enter_scope();
  cancel_scope& around = *scope;
  // Locks of two tasks are never held together. A request that comes in between finds this wait,
  // and needs no more of it.
  around.unlock();
  if (awaited_.add_waiter(*this) == task_state_base::wait_result::registered) return true;
  return false;
}

void handle_awaiter_base::pass_on(scope_member& self, cancel_round& round) noexcept {
  auto& wait = static_cast<handle_awaiter_base&>(self);
  if (wait.passed_round_ == round.number() || !wait.is_news()) return;
  switch (wait.awaited_.try_pass_on(round)) {
    case task_state_base::passing::passed_on:
      wait.passed_round_ = round.number();
      wait.passed_on_ = wait.scope->requests();
      break;
    case task_state_base::passing::lock_not_free:
      round.come_again();
      break;
    case task_state_base::passing::already_done:
      break;
  }
}

void block_until_end(task_state_base& awaited, duration limit) {
  if (worker::current() != nullptr) {
    throw_invalid_state("get() to be called on a thread that is not a worker");
  }
  if (!awaited.wait(deadline_for(limit))) throw timeout_error();
}

/// A request that was passed on is answered by what the awaited task made of it.
void handle_awaiter_base::resume_from_wait() {
  if (!is_in_scope()) return resume();
  const std::uint32_t requests = leave_scope();
  if (requests == 0) [[likely]]
    return;
  const cancel_scope::delivery due = scope->deliver(coroutine);
  const bool is_answered = (requests & ~passed_on_) == 0;
  if (due != cancel_scope::delivery::none && !is_answered) scope->throw_cancelled(due);
}

}  // namespace magpie::detail
