#include <magpie/condition.hpp>

#include <magpie/detail/check.hpp>
#include <magpie/detail/lock_guard.hpp>

namespace magpie {

// Lock order: the scope of a wait, then the list of the condition or that of the mutex, never both.
// Neither is touched after a waiter has been made ready: it may destroy both.

condition::~condition() {
  const detail::lock_guard guard(waiters_);  // waits for a thread that is about to release it
  MAGPIE_CHECK(waiters_.first() == nullptr, "nobody to wait for a condition that is destroyed");
}

void condition::notify_one() noexcept {
  waiting* chosen = nullptr;
  {
    const detail::lock_guard guard(waiters_);
    chosen = static_cast<waiting*>(waiters_.first());
    if (chosen == nullptr) return;
    static_cast<void>(waiters_.remove(*chosen));
    chosen->is_listed_ = false;
    chosen->was_chosen_ = true;
  }
  chosen->wait_for_mutex();
}

void condition::notify_all() noexcept {
  detail::job* all = nullptr;
  {
    const detail::lock_guard guard(waiters_);
    ++rounds_;
    all = waiters_.take_all();
  }
  while (all != nullptr) {
    auto& each = static_cast<waiting&>(*all);
    all = std::exchange(each.next, nullptr);
    each.wait_for_mutex();
  }
}

/// Called by the thread that has taken the wait out of the condition's list. It may be gone then.
void condition::waiting::wait_for_mutex() noexcept {
  if (source_.give_or_enqueue(*this)) wake_all(this);
}

bool condition::waiting::await_ready() {
  static_cast<void>(detail::this_worker("a condition to be awaited in a task on a runtime"));
  once_.begin();
  return false;
}

/// While the caller has the mutex, whoever ends the wait puts it behind the caller. So this object
/// is there until the unlock.
bool condition::waiting::await_suspend(detail::task_coroutine suspended) {
  mutex& held = source_;
  const bool is_waiting = suspend(suspended, [this] {
    const detail::lock_guard guard(condition_.waiters_);
    is_listed_ = true;
    rounds_ = condition_.rounds_;
    condition_.waiters_.push(*this);
    return true;
  });
  if (is_waiting) held.unlock();
  return is_waiting;
}

void condition::waiting::await_resume() {
  try {
    resume();
  } catch (...) {
    if (was_chosen_) condition_.notify_one();
    throw;
  }
}

/// A wait that has to wait for the mutex stays in its scope, as one that was notified does.
void condition::waiting::notify(detail::scope_member& self, detail::cancel_round& round) noexcept {
  auto& wait = static_cast<waiting&>(self);
  wait.scope->assume_locked();
  if (!wait.is_news()) return;
  {
    const detail::lock_guard guard(wait.condition_.waiters_);
    if (!wait.is_listed_ || wait.rounds_ != wait.condition_.rounds_) return;
    static_cast<void>(wait.condition_.waiters_.remove(wait));
    wait.is_listed_ = false;
  }
  wait.note_withdrawn();
  if (wait.source_.give_or_enqueue(wait)) wait.leave_withdrawn(round);
}

void condition::waiting::describe(const detail::scope_member& self,
                                  detail::wait_descriptions& into) noexcept {
  static_cast<void>(self);
  into.add({.what = "condition"});
}

}  // namespace magpie
