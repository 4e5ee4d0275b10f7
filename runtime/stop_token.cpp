#include <magpie/stop_token.hpp>

#include <magpie/detail/delivery.hpp>
#include <mutex>

namespace magpie::detail {

bool stop_member::begin(std::coroutine_handle<> awaiting) noexcept {
  if (!lock_to_wait(awaiting)) return false;
  enter_scope();
  scope->unlock();
  return true;
}

void stop_member::end() {
  if (!is_in_scope()) return resume();
  static_cast<void>(leave_scope());
}

/// It waits for nothing, so there is nothing to describe.
constexpr leaf_wait::operations stop_member::stop_operations{
    &stop, [](const scope_member&, wait_descriptions&) noexcept {}};

void stop_member::stop(scope_member& self, cancel_round& round) noexcept {
  auto& member = static_cast<stop_member&>(self);
  member.scope->assume_locked();
  if (member.is_stopped_ || !member.is_news()) return;
  member.is_stopped_ = round.call_later(member.request_);
}

continuation stoppable_scope::begin(std::coroutine_handle<> awaiting) {
  if (token_.stop_requested()) throw cancelled();
  const continuation after_body = abort_scope::begin(awaiting, &go_on);
  callback_.emplace(token_, stop{this});  // calls at once when the token has just been stopped
  return after_body;
}

/// No lock is held here: destroying the callback waits for it if it runs on another thread. The
/// callback notifies the members and does no more, unless it has users' stop callbacks to call.
std::coroutine_handle<> stoppable_scope::go_on(end_hook& self, const failure_word&) noexcept {
  auto& ended = static_cast<stoppable_scope&>(self);
  ended.callback_.reset();
  return ended.awaiter();
}

void stoppable_scope::absorb_requests() noexcept {
  static_cast<void>(deliver(parent(), awaiter()));
}

}  // namespace magpie::detail
