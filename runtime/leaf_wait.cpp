#include <magpie/detail/leaf_wait.hpp>

#include <magpie/detail/cancel_round.hpp>
#include <magpie/detail/delivery.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/task_state.hpp>
#include <utility>

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
    found_ = deliver(*scope, suspended);
    if (found_ != cancel_scope::source::none) return false;
  }
}

std::shared_ptr<const std::string> leaf_wait::reason_found() const noexcept {
  return found_ == cancel_scope::source::task ? task_of(*scope).cancel_reason() : nullptr;
}

std::uint64_t leaf_wait::leave_scope() noexcept {
  if (!is_in_scope_) return scope->due();
  const lock_guard guard(*scope);
  leave_locked_scope();
  return scope->due();
}

void leaf_wait::resume() {
  if (coroutine == nullptr) return;  // it did not suspend
  if (found_ != cancel_scope::source::none) throw_cancelled(*scope, found_);
  if (leave_scope() == seen_ && !withdrawn_) [[likely]]
    return;
  const cancel_scope::source news = deliver(*scope, coroutine);
  if (withdrawn_ || news != cancel_scope::source::none) throw_cancelled(*scope, news);
}

void leaf_wait::leave_withdrawn(cancel_round& round) noexcept {
  withdrawn_ = true;
  leave_locked_scope();
  round.wake_later(*this);
}

/// Those that follow each other and belong to one scheduler are made ready together. A wait may be
/// gone, and its runtime with it, as soon as it is ready.
void leaf_wait::wake_all(job& first) noexcept {
  const auto home_of = [](job& wait) { return &static_cast<leaf_wait&>(wait).home(); };
  for (job* head = &first; head != nullptr;) {
    scheduler* const home = home_of(*head);
    job* last = head;
    while (last->next != nullptr && home_of(*last->next) == home) last = last->next;
    job* const following = std::exchange(last->next, nullptr);
    if (last == head) {
      home->wake(*head);
    } else {
      home->submit_all(*head);
    }
    head = following;
  }
}

scheduler& leaf_wait::home() const noexcept { return scheduler_of(*scope); }

}  // namespace magpie::detail
