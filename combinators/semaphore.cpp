#include <magpie/semaphore.hpp>

#include <algorithm>
#include <magpie/detail/check.hpp>
#include <magpie/detail/lock_guard.hpp>

namespace magpie {

// Lock order: the scope of a wait, then the semaphore. Granted waiters are made ready after the
// semaphore's lock is released. The semaphore is not touched after that: a waiter may destroy it.

semaphore::~semaphore() {
  const detail::lock_guard guard(waiters_);  // waits for a thread that is about to release it
  MAGPIE_CHECK(waiters_.first() == nullptr, "nobody to wait for a semaphore that is destroyed");
}

permit semaphore::try_acquire(std::size_t weight) noexcept {
  const detail::lock_guard guard(waiters_);
  return take(as_count(weight)) ? permit(*this, weight) : permit();
}

void semaphore::release(std::size_t count) {
  detail::job* granted = nullptr;
  {
    const detail::lock_guard guard(waiters_);
    const std::int64_t after = std::min(free_ + as_count(count), most);
    if (beyond_ == over_release::refused && after > all_) {
      detail::throw_invalid_state("no more permits to be released than were acquired");
    }
    free_ = after;
    granted = grant();
  }
  acquisition::wake_all(granted);
}

void semaphore::resize(std::size_t permits) noexcept {
  detail::job* granted = nullptr;
  {
    const detail::lock_guard guard(waiters_);
    const std::int64_t all = as_count(permits);
    free_ = std::min(free_ + (all - all_), most);
    all_ = all;
    granted = grant();
  }
  acquisition::wake_all(granted);
}

std::int64_t semaphore::available() const noexcept {
  const detail::lock_guard guard(waiters_);
  return free_;
}

std::size_t semaphore::waiting() const noexcept {
  const detail::lock_guard guard(waiters_);
  return waiting_;
}

/// Limits a count so that sums of a few do not overflow.
std::int64_t semaphore::as_count(std::size_t permits) noexcept {
  return static_cast<std::int64_t>(std::min(permits, static_cast<std::size_t>(most)));
}

void semaphore::give_back(std::size_t weight) noexcept {
  detail::job* granted = nullptr;
  {
    const detail::lock_guard guard(waiters_);
    free_ = std::min(free_ + as_count(weight), most);
    granted = grant();
  }
  acquisition::wake_all(granted);
}

bool semaphore::take(std::int64_t weight) noexcept {
  if (waiters_.first() != nullptr || !can_grant(weight)) return false;
  free_ -= weight;
  return true;
}

detail::job* semaphore::grant() noexcept {
  detail::job* granted = nullptr;
  detail::job** end = &granted;
  while (auto* const next = static_cast<acquisition*>(waiters_.first())) {
    if (!can_grant(next->weight_)) break;
    static_cast<void>(waiters_.remove(*next));
    --waiting_;
    free_ -= next->weight_;
    next->is_granted_ = true;
    *end = next;
    end = &next->next;
    *end = nullptr;
  }
  return granted;
}

bool semaphore::acquisition::await_ready() {
  static_cast<void>(detail::this_worker("a semaphore to be acquired in a task on a runtime"));
  once_.begin();
  const detail::lock_guard guard(source_.waiters_);
  is_granted_ = source_.take(weight_);
  return is_granted_;
}

bool semaphore::acquisition::await_suspend(detail::task_coroutine suspended) {
  return suspend(suspended, [this] {
    const detail::lock_guard guard(source_.waiters_);
    is_granted_ = source_.take(weight_);
    if (is_granted_) return false;
    source_.waiters_.push(*this);
    ++source_.waiting_;
    return true;
  });
}

/// When a cancel request has come after the grant, resume() throws, and `granted` gives the permit
/// back for the next waiter.
permit semaphore::acquisition::await_resume() {
  permit granted;
  if (is_granted_) granted = permit(source_, static_cast<std::size_t>(weight_));
  resume();
  return granted;
}

/// A wait that was granted is about to end.
void semaphore::acquisition::describe(detail::wait_descriptions& into) const noexcept {
  const detail::lock_guard guard(source_.waiters_);
  if (is_granted_) return;
  into.add({.what = "semaphore",
            .name = source_.name_,
            .ahead = source_.waiters_.ahead_of(*this, detail::wait_description::most_ahead)});
}

bool semaphore::acquisition::withdraw() noexcept {
  detail::job* granted = nullptr;
  {
    const detail::lock_guard guard(source_.waiters_);
    if (!source_.waiters_.remove(*this)) return false;
    --source_.waiting_;
    granted = source_.grant();  // it may have held up lighter waiters
  }
  wake_all(granted);
  return true;
}

}  // namespace magpie
