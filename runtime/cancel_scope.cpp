#include <magpie/detail/cancel_scope.hpp>

#include <algorithm>
#include <magpie/detail/branch.hpp>
#include <magpie/detail/proceed.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/errors.hpp>
#include <mutex>
#include <thread>
#include <utility>

#include "runtime/lock_bit.hpp"

namespace magpie::detail {

void cancel_scope::lock_slowly() noexcept { lock_bit_slowly(word_, scope_word::lock_bit); }

cancel_scope::request_numbers cancel_scope::last_requests() const noexcept {
  if (!look().is_nested()) return {due(), 0};
  const auto& nested = static_cast<const nested_scope&>(*this);
  return {nested.from_task_.load(std::memory_order_relaxed),
          std::max(nested.from_outer_.load(std::memory_order_relaxed),
                   nested.own_.load(std::memory_order_relaxed))};
}

void cancel_scope::forget_task_requests() noexcept {
  if (!look().is_nested()) set_due(0);
  for (scope_member* each = members_; each != nullptr; each = each->next_) {
    if (&each->operations_ != &nested_scope::nested_operations) continue;
    auto& nested = static_cast<nested_scope&>(*each);
    const lock_guard<cancel_scope> guard(nested);
    nested.from_task_.store(0, std::memory_order_release);
    nested.update_due();
    nested.forget_task_requests();
  }
}

time_point cancel_scope::earliest_deadline() noexcept {
  time_point earliest = time_point::max();
  for (cancel_scope* scope = this; scope->look().is_nested();) {
    auto& nested = static_cast<nested_scope&>(*scope);
    const lock_guard guard(nested);
    earliest = std::min(earliest, nested.own_deadline());
    scope = &nested.parent();
  }
  return earliest;
}

task_state_base& cancel_scope::root() noexcept {
  cancel_scope* scope = this;
  while (scope->look().is_nested()) scope = &static_cast<nested_scope*>(scope)->parent();
  return static_cast<task_state_base&>(*scope);
}

void cancel_scope::tell_members(cancel_round& round) noexcept {
  for (scope_member* each = members_; each != nullptr;) {
    scope_member* const following = each->next_;  // read first: notifying may unlink the wait
    each->operations_.tell(*each, round);
    each = following;
  }
}

void cancel_scope::describe_members(wait_descriptions& into) const noexcept {
  for (const scope_member* each = members_; each != nullptr && !into.is_full();
       each = each->next_) {
    each->operations_.describe(*each, into);
  }
}

cancel_scope::delivery cancel_scope::deliver(std::coroutine_handle<> at) noexcept {
  if (due() == 0) return delivery::none;
  const std::uint64_t told = told_to(at);
  if (due() <= told) return delivery::none;
  const lock_guard guard(*this);
  if (due() <= told) return delivery::none;
  set_told(at, due());
  for (cancel_scope* each = this; each->look().is_nested();) {
    auto& nested = static_cast<nested_scope&>(*each);
    nested.note_delivery(told);
    each = &nested.parent();
  }
  return last_requests().to_task > told ? delivery::from_task : delivery::from_scope;
}

void cancel_scope::ask_again(std::coroutine_handle<> at) noexcept {
  const std::uint64_t last = due();
  if (last != 0) set_told(at, std::min(told_to(at), last - 1));
}

void cancel_scope::throw_cancelled(delivery found) {
  if (found != delivery::from_task) throw magpie::cancelled();
  throw magpie::cancelled(root().cancel_reason());
}

bool cancel_scope::contains(const void* other) noexcept {
  if (this == other) return true;
  const lock_guard guard(*this);
  for (scope_member* each = members_; each != nullptr; each = each->next_) {
    if (&each->operations_ == &nested_scope::nested_operations &&
        static_cast<nested_scope*>(each)->contains(other)) {
      return true;
    }
  }
  return false;
}

std::uint64_t nested_scope::enter(std::coroutine_handle<> awaiting,
                                  end_function when_ended) noexcept {
  worker& here = worker::here();
  parent_ = static_cast<cancel_scope*>(here.context());
  awaiter_ = awaiting;
  when_ended_ = when_ended;
  here.set_context(static_cast<cancel_scope*>(this));
  const lock_guard guard(*parent_);
  const lock_guard<cancel_scope> own_guard(*this);
  parent_->link(*this);
  const request_numbers before = parent_->last_requests();
  from_task_.store(before.to_task, std::memory_order_relaxed);
  from_outer_.store(before.to_scopes, std::memory_order_relaxed);
  // A request that came before the beginning is news to the body.
  if (has_own_request()) own_.store(next_request_number(), std::memory_order_release);
  update_due();
  return last_from_outside();
}

void nested_scope::leave() noexcept {
  worker::here().set_context(parent_);
  std::uint64_t told = told_;
  {
    const lock_guard guard(*parent_);
    const lock_guard<cancel_scope> own_guard(*this);
    take_over_requests();
    parent_->unlink(*this);
    // A request that was not delivered in here is news out there. Its number there may be less than
    // that of another one, which was delivered in here.
    if (last_from_outside() > told) told = std::min(told, parent_->due() - 1);
  }
  if (told_ != 0) set_told(awaiter_, told);
}

/// A number of the parent's that is not greater than the own one has been taken over: the own one
/// was taken later.
void nested_scope::take_over_requests() noexcept {
  const request_numbers outside = parent_->last_requests();
  if (from_task_.load(std::memory_order_relaxed) < outside.to_task) {
    from_task_.store(next_request_number(), std::memory_order_release);
  }
  if (from_outer_.load(std::memory_order_relaxed) < outside.to_scopes) {
    from_outer_.store(next_request_number(), std::memory_order_release);
  }
  update_due();
}

std::coroutine_handle<> end_body(nested_scope& scope, const failure_word& failure) noexcept {
  if (failure.knows_told()) scope.note_told(failure.told());
  return scope.body_ended();
}

void nested_scope::tell() noexcept {
  {
    // Without a body that waits there is no member to notify, and perhaps no task around it yet.
    const lock_guard<cancel_scope> guard(*this);
    if (!has_members()) return;
  }
  cancel_round round(root());
  round.tell_all(*this);
  round.run();
}

void nested_scope::tell_nested(scope_member& self, cancel_round& round) noexcept {
  auto& scope = static_cast<nested_scope&>(self);
  const lock_guard<cancel_scope> guard(scope);
  scope.take_over_requests();
  scope.tell_members(round);
}

void nested_scope::describe_nested(const scope_member& self, wait_descriptions& into) noexcept {
  auto& scope = const_cast<nested_scope&>(static_cast<const nested_scope&>(self));
  const lock_guard<cancel_scope> guard(scope);
  scope.describe_members(into);
}

constexpr scope_member::operations nested_scope::nested_operations{&tell_nested, &describe_nested};

cancel_round::cancel_round(task_state_base& origin, std::shared_ptr<const std::string> why) noexcept
    : number_([] {
        static std::atomic<std::uint64_t> next{1};
        return next.fetch_add(1, std::memory_order_relaxed);
      }()),
      origin_(origin),
      reason_(std::move(why)) {}

bool cancel_round::try_pass_on() noexcept {
  static std::mutex one_passes_on;
  if (!turn_.owns_lock()) turn_ = std::unique_lock(one_passes_on, std::try_to_lock);
  return turn_.owns_lock();
}

template <class Scope>
void cancel_round::tell_all(Scope& scope) noexcept {
  for (;;) {
    must_come_again_ = false;
    {
      const lock_guard<cancel_scope> guard(scope);
      scope.tell_members(*this);
    }
    if (!must_come_again_) return;
    std::this_thread::yield();
  }
}

void cancel_round::add(task_state_base& task) noexcept {
  // Another round that has it in its list will visit it.
  if (!task.has_members() || !task.enter_list()) return;
  task.add_visit();
  task.next = first_;
  first_ = &task;
}

void cancel_round::run() noexcept {
  while (task_state_base* const task = first_) {
    first_ = static_cast<task_state_base*>(task->next);
    task->leave_list();
    tell_all(*task);
    task->end_visit();
  }
  if (turn_.owns_lock()) turn_.unlock();
  while (const std::shared_ptr<foreign_call> due = std::move(calls_)) {
    calls_ = std::move(due->next);
    due->call(*due);
  }
}

}  // namespace magpie::detail
