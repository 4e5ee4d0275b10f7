#include <magpie/detail/leaf_wait.hpp>

#include <magpie/detail/cancel_round.hpp>
#include <mutex>

#include "runtime/runtime_core.hpp"

namespace magpie::detail {

bool leaf_wait::lock_to_wait(std::coroutine_handle<> suspended) noexcept {
  prepare(suspended, worker::here());
  // The coroutine may wait although there are requests that have been delivered to it: it cleans
  // up. A request that comes between the delivery and the lock shows in the comparison.
  for (std::uint64_t delivered = 0;; delivered = seen_) {
    scope->lock();
    seen_ = scope->due();
    if (seen_ == delivered) [[likely]]
      return true;
    scope->unlock();
    found_ = scope->deliver(suspended);
    if (found_ != cancel_scope::delivery::none) return false;
  }
}

std::shared_ptr<const std::string> leaf_wait::reason_found() const noexcept {
  return found_ == cancel_scope::delivery::from_task ? scope->root().cancel_reason() : nullptr;
}

std::uint64_t leaf_wait::leave_scope() noexcept {
  if (!is_in_scope_) return scope->due();
  const lock_guard guard(*scope);
  leave_locked_scope();
  return scope->due();
}

void leaf_wait::resume() {
  if (coroutine == nullptr) return;  // it did not suspend
  if (found_ != cancel_scope::delivery::none) scope->throw_cancelled(found_);
  if (leave_scope() == seen_ && !withdrawn_) [[likely]]
    return;
  const cancel_scope::delivery due = scope->deliver(coroutine);
  if (withdrawn_ || due != cancel_scope::delivery::none) scope->throw_cancelled(due);
}

void leaf_wait::leave_withdrawn(cancel_round& round) noexcept {
  withdrawn_ = true;
  leave_locked_scope();
  round.wake_later(*this);
}

scheduler& leaf_wait::home() const noexcept { return scope->root().home()->jobs; }

}  // namespace magpie::detail
