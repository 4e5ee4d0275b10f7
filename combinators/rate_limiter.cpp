#include <magpie/rate_limiter.hpp>

#include <magpie/detail/check.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/scheduler.hpp>

namespace magpie {

// Lock order: the scope of a wait, then the limiter, then the timers. Waiters are made ready after
// the limiter's lock is released. The limiter is not touched after that: a waiter may destroy it.

rate_limiter::~rate_limiter() {
  const detail::lock_guard guard(waiters_);  // waits for a thread that is about to release it
  MAGPIE_CHECK(waiters_.first() == nullptr && !is_held_,
               "nobody to wait for a rate limiter that is destroyed");
}

std::size_t rate_limiter::checked(std::size_t weight) const {
  if (weight == 0 || weight > meter_.most_weight()) [[unlikely]]
    detail::throw_invalid_state("a weight from one to one more than the rate's burst");
  return weight;
}

bool rate_limiter::try_acquire(std::size_t weight) {
  static_cast<void>(checked(weight));
  const time_point when = now();
  const detail::lock_guard guard(waiters_);
  return start(weight, when);
}

std::size_t rate_limiter::waiting() const noexcept {
  const detail::lock_guard guard(waiters_);
  return waiting_;
}

bool rate_limiter::start(std::size_t weight, time_point when) noexcept {
  if (waiting_ != 0 || is_held_ || !meter_.allows(weight, when)) return false;
  meter_.begin(when, weight);
  return true;
}

/// Nobody has the turn. Gives it to the first waiter if the rate allows that now, and returns it
/// for the caller to submit without the lock. Else returns null, and the waiter, if there is one,
/// has its timer armed.
rate_limiter::acquisition* rate_limiter::begin_turn(time_point when) noexcept {
  auto* const next = static_cast<acquisition*>(waiters_.first());
  if (next == nullptr) return nullptr;
  if (!meter_.allows(next->weight_, when)) {
    next->home().arm(*next, meter_.next(next->weight_));
    return nullptr;
  }
  give_turn(*next);
  return next;
}

void rate_limiter::give_turn(acquisition& first) noexcept {
  static_cast<void>(waiters_.remove(first));
  --waiting_;
  is_held_ = true;
  first.has_turn_ = true;
}

/// Of a task that has started now, or has not and gives a weight of 0.
void rate_limiter::end_turn(std::size_t weight) noexcept {
  acquisition* next = nullptr;
  {
    const time_point when = now();
    const detail::lock_guard guard(waiters_);
    if (weight != 0) meter_.begin(when, weight);
    is_held_ = false;
    next = begin_turn(when);
  }
  acquisition::wake_all(next);
}

bool rate_limiter::acquisition::await_ready() {
  const detail::worker& here =
      detail::this_worker("a rate limiter to be acquired in a task on a runtime");
  once_.begin();
  const time_point when = here.home().now();
  const detail::lock_guard guard(source_.waiters_);
  return source_.start(weight_, when);
}

bool rate_limiter::acquisition::await_suspend(detail::task_coroutine suspended) {
  return suspend(suspended, [this] {
    const detail::lock_guard guard(source_.waiters_);
    source_.waiters_.push(*this);
    ++source_.waiting_;
    const bool is_next = source_.waiting_ == 1 && !source_.is_held_;
    return !is_next || source_.begin_turn(home().now()) == nullptr;
  });
}

/// Its moment has come, and it is still the first: a withdrawal would have disarmed the timer.
detail::job* rate_limiter::acquisition::fire(detail::timer& self) noexcept {
  auto& due = static_cast<acquisition&>(self);
  const detail::lock_guard guard(due.source_.waiters_);
  due.source_.give_turn(due);
  return &due;
}

/// When a cancel request has come after the turn, resume() throws, and the turn ends without a
/// start.
void rate_limiter::acquisition::await_resume() {
  struct turn {
    rate_limiter* source;
    std::size_t weight = 0;

    ~turn() {
      if (source != nullptr) source->end_turn(weight);
    }
  };
  turn own{.source = has_turn_ ? &source_ : nullptr};
  resume();
  own.weight = weight_;
}

void rate_limiter::acquisition::describe(detail::wait_descriptions& into) const noexcept {
  const detail::lock_guard guard(source_.waiters_);
  if (has_turn_) return;
  into.add({.what = "rate limiter",
            .ahead = source_.waiters_.ahead_of(*this, detail::wait_description::most_ahead)});
}

bool rate_limiter::acquisition::withdraw() noexcept {
  acquisition* next = nullptr;
  {
    const detail::lock_guard guard(source_.waiters_);
    if (has_turn_) return false;
    const bool is_first = source_.waiters_.first() == this;
    // If its timer is about to fire, it will be given the turn, and passes that on.
    if (is_first && !source_.is_held_ && !home().disarm(*this)) return false;
    static_cast<void>(source_.waiters_.remove(*this));
    --source_.waiting_;
    if (is_first && !source_.is_held_) next = source_.begin_turn(home().now());
  }
  wake_all(next);
  return true;
}

}  // namespace magpie
