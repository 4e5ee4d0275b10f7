#include <magpie/mutex.hpp>

#include <magpie/detail/check.hpp>
#include <magpie/detail/lock_guard.hpp>

namespace magpie {

// Lock order: the scope of a wait, then the list of the mutex. The next owner is made ready after
// the list's lock is released. The mutex is not touched after that: its owner may destroy it.

mutex::~mutex() {
  const detail::lock_guard locked(waiters_);  // waits for a thread that is about to release it
  MAGPIE_CHECK(!waiters_.is_marked(), "a mutex that nobody holds, to destroy it");
}

void mutex::unlock() noexcept {
  if (waiters_.try_unmark()) return;
  waiting* next = nullptr;
  {
    const detail::lock_guard locked(waiters_);
    next = static_cast<waiting*>(waiters_.first());
    if (next == nullptr) {
      waiters_.unmark();
    } else {
      static_cast<void>(waiters_.remove(*next));
      next->is_owner_ = true;
    }
  }
  waiting::wake_all(next);
}

bool mutex::give_or_enqueue(waiting& who) noexcept {
  const detail::lock_guard locked(waiters_);
  if (waiters_.is_marked()) {
    waiters_.push(who);
    return false;
  }
  waiters_.mark();
  who.is_owner_ = true;
  return true;
}

/// A wait that has the mutex is about to end.
void mutex::acquisition::describe(detail::wait_descriptions& into) const noexcept {
  const detail::lock_guard locked(source_.waiters_);
  if (is_owner_) return;
  into.add({.what = "mutex",
            .ahead = source_.waiters_.ahead_of(*this, detail::wait_description::most_ahead)});
}

bool mutex::acquisition::withdraw() noexcept {
  const detail::lock_guard locked(source_.waiters_);
  return source_.waiters_.remove(*this);
}

}  // namespace magpie
