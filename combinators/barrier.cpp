#include <magpie/barrier.hpp>

#include <magpie/detail/check.hpp>
#include <magpie/detail/lock_guard.hpp>

namespace magpie {

// Lock order: the scope of a wait, then the barrier. Waiters are made ready after the barrier's
// lock is released. The barrier is not touched after that: a waiter may destroy it.

barrier::barrier(std::size_t parties) : parties_(parties) {
  if (parties == 0) detail::throw_invalid_state("a barrier for at least one task");
}

barrier::~barrier() {
  const detail::lock_guard guard(waiters_);  // waits for a thread that is about to release it
  MAGPIE_CHECK(waiters_.first() == nullptr, "nobody to wait for a barrier that is destroyed");
}

void barrier::abort() noexcept {
  detail::job* released = nullptr;
  {
    const detail::lock_guard guard(waiters_);
    waiters_.mark();
    released = empty();
  }
  let_go(released, fate::is_broken);
}

void barrier::reset() noexcept {
  detail::job* released = nullptr;
  {
    const detail::lock_guard guard(waiters_);
    waiters_.unmark();
    released = empty();
  }
  let_go(released, fate::is_broken);
}

std::size_t barrier::count() const noexcept {
  const detail::lock_guard guard(waiters_);
  return count_;
}

barrier::fate barrier::come(waiting& who, detail::job*& released) noexcept {
  if (waiters_.is_marked()) return fate::is_broken;
  if (count_ + 1 != parties_) return fate::waits;
  who.index_ = count_;
  released = empty();
  return fate::goes_on;
}

detail::job* barrier::empty() noexcept {
  count_ = 0;
  ++rounds_;
  return waiters_.take_all();
}

void barrier::let_go(detail::job* released, fate with) noexcept {
  std::size_t index = 0;
  for (detail::job* each = released; each != nullptr; each = each->next) {
    auto& gone = static_cast<waiting&>(*each);
    gone.index_ = index++;
    gone.fate_ = with;
  }
  waiting::wake_all(released);
}

bool barrier::waiting::await_ready() {
  static_cast<void>(detail::this_worker("a barrier to be awaited in a task on a runtime"));
  once_.begin();
  detail::job* released = nullptr;
  {
    const detail::lock_guard guard(source_.waiters_);
    fate_ = source_.come(*this, released);
  }
  let_go(released, fate::goes_on);
  return fate_ != fate::waits;
}

bool barrier::waiting::await_suspend(detail::task_coroutine suspended) {
  detail::job* released = nullptr;
  const bool is_waiting = suspend(suspended, [&] {
    const detail::lock_guard guard(source_.waiters_);
    fate_ = source_.come(*this, released);
    if (fate_ != fate::waits) return false;
    rounds_ = source_.rounds_;
    source_.waiters_.push(*this);
    ++source_.count_;
    return true;
  });
  let_go(released, fate::goes_on);
  return is_waiting;
}

std::size_t barrier::waiting::await_resume() {
  resume();
  if (fate_ == fate::is_broken) throw broken_barrier();
  return index_;
}

bool barrier::waiting::withdraw() noexcept {
  const detail::lock_guard guard(source_.waiters_);
  if (rounds_ != source_.rounds_ || !source_.waiters_.remove(*this)) return false;
  --source_.count_;
  return true;
}

}  // namespace magpie
