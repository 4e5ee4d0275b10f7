#include <magpie/event.hpp>

#include <magpie/detail/check.hpp>
#include <magpie/detail/lock_guard.hpp>

namespace magpie {

// Lock order: the scope of a wait, then the event. Waiters are made ready after the event's lock is
// released. The event is not touched after that: a waiter may destroy it.

event::~event() {
  const detail::lock_guard guard(waiters_);  // waits for a thread that is about to release it
  MAGPIE_CHECK(waiters_.first() == nullptr, "nobody to wait for an event that is destroyed");
}

void event::set() noexcept {
  detail::job* woken = nullptr;
  {
    const detail::lock_guard guard(waiters_);
    waiters_.mark();
    ++sets_;
    woken = waiters_.take_all();
  }
  waiting::wake_all(woken);
}

void event::clear() noexcept {
  const detail::lock_guard guard(waiters_);
  waiters_.unmark();
}

bool event::waiting::await_ready() {
  static_cast<void>(detail::this_worker("an event to be awaited in a task on a runtime"));
  once_.begin();
  return source_.is_set();
}

bool event::waiting::await_suspend(detail::task_coroutine suspended) {
  return suspend(suspended, [this] {
    const detail::lock_guard guard(source_.waiters_);
    if (source_.is_set()) return false;
    sets_ = source_.sets_;
    source_.waiters_.push(*this);
    return true;
  });
}

bool event::waiting::withdraw() noexcept {
  const detail::lock_guard guard(source_.waiters_);
  return sets_ == source_.sets_ && source_.waiters_.remove(*this);
}

}  // namespace magpie
