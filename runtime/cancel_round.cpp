#include <magpie/detail/cancel_round.hpp>

#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/scheduler.hpp>
#include <utility>

#include "runtime/forwarding_turn.hpp"

namespace magpie::detail {

bool cancel_task(task_state_base& task, std::shared_ptr<const std::string> reason) noexcept {
  {
    const lock_guard guard(task);
    if (!task.accept_request(reason)) return false;
  }
  cancel_round(std::move(reason)).notify(task);
  return true;
}

void cancel_round::notify(cancel_scope& scope) noexcept {
  round_place place;
  finish(scope, place);
}

bool cancel_round::begin(cancel_scope& scope, round_place& place) noexcept {
  is_in_hurry_ = true;
  return notify_some(scope, place);
}

void cancel_round::finish(cancel_scope& scope, round_place& place) noexcept {
  while (!notify_some(scope, place)) {
  }
  if (must_forward_) {
    forwarding_turn turn;
    number_ = turn.begin();
    {
      const lock_guard guard(scope);
      if (scope.has_members()) origin_ = &task_of(scope);
      scope.notify_members(*this);
    }
    forward_all();
  }
  wake_all();
  make_calls();
}

bool cancel_round::notify_some(cancel_scope& scope, round_place& place) noexcept {
  bool are_all = false;
  {
    const lock_guard guard(scope);
    are_all = scope.notify_some(*this, place);
  }
  wake_all();
  return are_all;
}

bool cancel_round::forward(forwarding_wait& beginning) noexcept {
  {
    forwarding_turn turn;
    number_ = turn.begin();
    origin_ = &task_of(*beginning.scope);
    push(beginning);
    forward_all();
  }
  wake_all();
  make_calls();
  return beginning.has_forwarded_ != 0;
}

void cancel_round::add(forwarding_wait& found) noexcept {
  if (number_ == 0) {
    must_forward_ = true;
    has_refused_ = is_in_hurry_;
    return;
  }
  found.is_on_stack_ = true;
  found.answered_ = found.scope->due();
  push(found);
}

void cancel_round::push(forwarding_wait& wait) noexcept {
  wait.next_ = 0;
  wait.has_forwarded_ = 0;
  wait.is_in_ring_ = 0;
  wait.below_ = std::exchange(top_, &wait);
}

/// Depth first. A task is on the way from when the request is forwarded to it until all waits that
/// were found in it are off the stack.
void cancel_round::forward_all() noexcept {
  while (forwarding_wait* const wait = top_) {
    const auto awaited = wait->typed().awaited;
    if (wait->is_in_the_last_ != 0) {
      wait->is_in_the_last_ = 0;
      task_state_base& last = *awaited(*wait, wait->next_ - 1);
      const lock_guard guard(last);
      last.note_passed();
    }
    if (task_state_base* const task = awaited(*wait, wait->next_)) {
      ++wait->next_;
      forward_to(*task, *wait);
    } else {
      top_ = wait->below_;
      remove(*wait);
    }
  }
}

void cancel_round::forward_to(task_state_base& task, forwarding_wait& from) noexcept {
  const lock_guard guard(task);
  if (&task == origin_ || task.is_on_the_way_of(number_)) {
    from.is_in_ring_ = 1;
  } else if (task.was_reached_by(number_)) {
    from.has_forwarded_ = 1;
  } else if (task.accept_request(reason_)) {
    from.has_forwarded_ = 1;
    from.is_in_the_last_ = 1;
    task.note_reached_by(number_);
    task.notify_members(*this);
  }
}

/// The wait may be gone as soon as the lock of its scope is released.
void cancel_round::remove(forwarding_wait& done) noexcept {
  if (!done.is_on_stack_) return;  // forward() has a wait that is in no scope
  const lock_guard guard(*done.scope);
  done.is_on_stack_ = false;
  if (done.has_forwarded_ == 0) done.answered_ = 0;
  if (done.is_in_ring_ != 0 && done.typed().withdraw(done)) done.leave_withdrawn(*this);
}

bool cancel_round::call_later(std::shared_ptr<foreign_call> call) noexcept {
  has_refused_ = is_in_hurry_;
  if (has_refused_) return false;
  call->next = std::move(calls_);
  calls_ = std::move(call);
  return true;
}

void cancel_round::wake_later(leaf_wait& withdrawn) noexcept {
  withdrawn.next = nullptr;
  if (first_woken_ == nullptr) {
    first_woken_ = &withdrawn;
  } else {
    last_woken_->next = &withdrawn;
  }
  last_woken_ = &withdrawn;
}

void cancel_round::wake_all() noexcept {
  leaf_wait::wake_all(std::exchange(first_woken_, nullptr));
}

void cancel_round::make_calls() noexcept {
  while (const std::shared_ptr<foreign_call> due = std::move(calls_)) {
    calls_ = std::move(due->next);
    due->call(*due);
  }
}

std::uint64_t forwarding_wait::leave() noexcept {
  for (;;) {
    scope->lock();
    if (!is_on_stack_) break;
    scope->unlock();
    const forwarding_turn after_the_round;
  }
  leave_locked_scope();
  const std::uint64_t due = scope->due();
  scope->unlock();
  return due;
}

}  // namespace magpie::detail
