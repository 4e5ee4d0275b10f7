#include <magpie/detail/cancel_scope.hpp>

#include <algorithm>
#include <bit>
#include <magpie/detail/join.hpp>
#include <magpie/detail/proceed.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/errors.hpp>
#include <mutex>
#include <thread>
#include <utility>

#include "runtime/lock_bit.hpp"

namespace magpie::detail {

namespace {

/// Every coroutine that awaits in a task is a task's own, because task_coroutine takes no other.
promise_base& promise_of(std::coroutine_handle<> frame) noexcept {
  return std::coroutine_handle<promise_base>::from_address(frame.address()).promise();
}

/// The way from a coroutine up to its task: to what awaits it, and so on.
class way_up {
 public:
  way_up(std::coroutine_handle<> from, cancel_scope& scope) noexcept
      : coroutine_(&promise_of(from)), scope_(&scope) {}

  enum class stop {
    join,   // coroutine() is a child of a join
    scope,  // coroutine() is the body of scope()
    task,   // coroutine() is the first of its task
  };

  /// Climbs from coroutine() to the next stop.
  [[nodiscard]] stop climb() noexcept {
    for (;;) {
      const continuation& then = coroutine_->then();
      if (then.is_awaiter()) {
        coroutine_ = &promise_of(then.awaiter());
      } else if (then.target_join() != nullptr) {
        return stop::join;
      } else {
        return then.ends_task() ? stop::task : stop::scope;
      }
    }
  }

  /// From a stop at a join to the coroutine that awaits the join.
  void leave_join() noexcept {
    const continuation* then = &coroutine_->then();
    while (const join* const above = then->target_join()) then = &above->parent();
    coroutine_ = &promise_of(then->awaiter());
  }
  void leave_scope() noexcept {
    const auto& left = static_cast<const nested_scope&>(*scope_);
    scope_ = &left.parent();
    coroutine_ = &promise_of(left.awaiter());
  }

  [[nodiscard]] promise_base& coroutine() const noexcept { return *coroutine_; }
  [[nodiscard]] cancel_scope& scope() const noexcept { return *scope_; }

 private:
  promise_base* coroutine_;
  cancel_scope* scope_;
};

/// Returns whether a request has been delivered to this child of a join, or to what the join is a
/// part of. A request to a scope further in than the mark is another matter: it has been delivered
/// to no coroutine in that scope.
bool was_told(way_up way) noexcept {
  for (;;) {
    switch (way.climb()) {
      case way_up::stop::join:
        if (way.coroutine().then().was_told()) return true;
        way.leave_join();
        break;
      case way_up::stop::scope:
        if ((way.scope().requests() & 1) != 0) return false;
        way.leave_scope();
        break;
      case way_up::stop::task:
        return false;
    }
  }
}

}  // namespace

void cancel_scope::lock_slowly() noexcept { lock_bit_slowly(word_, scope_word::lock_bit); }

std::uint32_t cancel_scope::requests() const noexcept {
  std::uint32_t found = 0;
  const cancel_scope* scope = this;
  for (std::uint32_t bit = 1;; bit = std::rotl(bit, 1)) {
    const scope_word seen = scope->look(std::memory_order_acquire);
    if (seen.is_requested()) found |= bit;
    if (!seen.is_nested()) return found;
    scope = &static_cast<const nested_scope*>(scope)->parent();
  }
}

std::uint64_t cancel_scope::count_own_requests(counting which) const noexcept {
  const scope_word seen = look(std::memory_order_acquire);
  const bool all_are_settled = which == counting::all || !seen.is_requested();
  return all_are_settled ? seen.request_count() : seen.request_count() - 1;
}

std::uint64_t cancel_scope::count_requests(counting which) const noexcept {
  std::uint64_t count = 0;
  const cancel_scope* scope = this;
  for (;;) {
    count += scope->count_own_requests(which);
    if (!scope->look().is_nested()) return count;
    scope = &static_cast<const nested_scope*>(scope)->parent();
  }
}

/// Goes the way of deliver(). A request that stands is new to the coroutine, unless this is a child
/// of a join with the mark.
std::uint64_t cancel_scope::requests_known_to(std::coroutine_handle<> at) noexcept {
  std::uint64_t count = 0;
  for (way_up way(at, *this);;) {
    switch (way.climb()) {
      case way_up::stop::task:
        return count + way.scope().count_own_requests(counting::settled);
      case way_up::stop::scope:
        count += way.scope().count_own_requests(counting::settled);
        way.leave_scope();
        break;
      case way_up::stop::join: {
        const counting known = detail::was_told(way) ? counting::all : counting::settled;
        return count + way.scope().count_requests(known);
      }
    }
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

bool cancel_scope::take_request() noexcept {
  const lock_guard guard(*this);
  const scope_word before = look();
  change_to(before.delivered());
  return before.is_requested();
}

/// Delivers requests from the inside out. The coroutine takes those of the scopes in which it alone
/// runs. A request to a scope around a join concerns the other children as well. It stands until it
/// is delivered to the join's parent. Until then it is delivered once to each child, whose mark is
/// kept in its promise; so a child may await what it needs to clean up. A coroutine that a marked
/// child created does not receive the same request again: hence the look at all marks above.
cancel_scope::delivery cancel_scope::deliver(std::coroutine_handle<> at) noexcept {
  delivery due = delivery::none;
  for (way_up way(at, *this);;) {
    switch (way.climb()) {
      case way_up::stop::task:
        return way.scope().take_request() ? delivery::from_task : due;
      case way_up::stop::scope:
        if (way.scope().take_request()) due = delivery::from_scope;
        way.leave_scope();
        break;
      case way_up::stop::join:
        if (way.scope().is_requested() && !detail::was_told(way)) {
          way.coroutine().then().mark_told();
          return way.scope().root().look().is_requested() ? delivery::from_task
                                                          : delivery::from_scope;
        }
        return due;
    }
  }
}

void cancel_scope::ask_again(std::coroutine_handle<> at) noexcept {
  for (way_up way(at, *this);;) {
    const way_up::stop reached = way.climb();
    if (reached == way_up::stop::join) return way.coroutine().then().forget_told();
    {
      cancel_scope& scope = way.scope();
      const lock_guard guard(scope);
      scope.change_to(scope.look().undelivered());
    }
    if (reached == way_up::stop::task) return;
    way.leave_scope();
  }
}

void cancel_scope::throw_cancelled(delivery due) {
  if (due != delivery::from_task) throw magpie::cancelled();
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

void nested_scope::enter(std::coroutine_handle<> awaiting, end_function when_ended) noexcept {
  worker& here = worker::here();
  parent_ = static_cast<cancel_scope*>(here.context());
  awaiter_ = awaiting;
  when_ended_ = when_ended;
  {
    const lock_guard guard(*parent_);
    parent_->link(*this);
  }
  here.set_context(static_cast<cancel_scope*>(this));
}

void nested_scope::leave() noexcept {
  worker::here().set_context(parent_);
  const lock_guard guard(*parent_);
  parent_->unlink(*this);
}

std::coroutine_handle<> end_body(nested_scope& scope) noexcept { return scope.body_ended(); }

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
  cancel_scope& scope = static_cast<nested_scope&>(self);
  const lock_guard guard(scope);
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
