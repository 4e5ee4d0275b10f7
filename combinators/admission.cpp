#include <magpie/admission.hpp>

#include <algorithm>
#include <magpie/detail/check.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/misuse.hpp>

namespace magpie {

admission::admission(const admission_options& options) : options_(options) {
  if (options.target <= duration::zero() || options.interval <= duration::zero()) {
    detail::throw_invalid_state("an admission_options::target and interval above zero");
  }
}

admission::~admission() {
  MAGPIE_CHECK(waiting() == 0, "no entry to be left when its admission is destroyed");
}

/// By J. Little's law. What last began says less: it came when the queue was shorter or longer.
admission::seconds admission::expected_delay(time_point when) const noexcept {
  if (waiting_ == 0) return {};
  return std::max<seconds>(space_ * static_cast<double>(waiting_), when - waiting_since_);
}

admission::entry admission::try_enter() noexcept {
  const time_point when = now();
  const detail::lock_guard guard(lock_);
  end_interval(when);
  if (is_overloaded_ && expected_delay(when) > 2.0 * options_.target) return {};
  if (waiting_++ == 0) waiting_since_ = when;
  return {*this, when};
}

std::size_t admission::waiting() const noexcept {
  const detail::lock_guard guard(lock_);
  return waiting_;
}

bool admission::is_overloaded() const noexcept {
  const detail::lock_guard guard(lock_);
  return is_overloaded_;
}

void admission::begin(time_point entered) noexcept {
  const time_point when = now();
  const detail::lock_guard guard(lock_);
  end_interval(when);
  least_delay_ = std::min(least_delay_, when - entered);
  space_ += (when - waiting_since_ - space_) / 8.0;
  waiting_since_ = when;
  remove_one();
}

void admission::leave() noexcept {
  const detail::lock_guard guard(lock_);
  remove_one();
}

void admission::end_interval(time_point when) noexcept {
  if (when < interval_end_) return;
  // Without a beginning, the queue stood if the same work waited all the time.
  is_overloaded_ = least_delay_ == none
                       ? waiting_ != 0 && waiting_since_ <= interval_end_ - options_.interval
                       : least_delay_ > options_.target;
  least_delay_ = none;
  interval_end_ = when + options_.interval;
}

/// An empty queue does not stand.
void admission::remove_one() noexcept {
  if (--waiting_ == 0) least_delay_ = duration::zero();
}

void admission::entry::begin() {
  if (door_ == nullptr) {
    detail::throw_invalid_state("an admission::entry that was let in and has not begun");
  }
  std::exchange(door_, nullptr)->begin(entered_);
}

}  // namespace magpie
