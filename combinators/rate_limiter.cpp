#include <magpie/rate_limiter.hpp>

#include <algorithm>
#include <magpie/sleep.hpp>
#include <optional>

namespace magpie {

namespace detail {

namespace {

duration space_of(const rate& allowed) {
  if (allowed.count == 0 || allowed.period <= duration::zero()) {
    throw_invalid_state("a rate of at least one in a time above zero");
  }
  const std::size_t count =
      std::min(allowed.count, static_cast<std::size_t>(allowed.period.count()));
  const auto spaces = static_cast<duration::rep>(count);
  return allowed.period / spaces + duration(allowed.period.count() % spaces != 0 ? 1 : 0);
}

/// The burst as a time. Limited so that no sum or difference leaves the range of the clock.
duration tolerance_of(const rate& allowed, duration space) {
  constexpr duration longest = duration::max() / 4;
  const auto most = static_cast<std::size_t>(longest / space);
  return allowed.burst >= most ? longest : space * static_cast<duration::rep>(allowed.burst);
}

}  // namespace

rate_meter::rate_meter(const rate& allowed)
    : space_(space_of(allowed)),
      tolerance_(tolerance_of(allowed, space_)),
      even_(duration::min() / 2) {}

void rate_meter::begin(time_point when) noexcept {
  even_ = deadline_after(space_, std::max(when, even_));
}

}  // namespace detail

task<> rate_limiter::acquire() {
  const permit turn = co_await turn_.acquire();
  if (now() < meter_.next()) co_await sleep_until(meter_.next());
  meter_.begin(now());
}

bool rate_limiter::try_acquire() noexcept {
  const permit turn = turn_.try_acquire();
  const time_point when = now();
  if (!turn || when < meter_.next()) return false;
  meter_.begin(when);
  return true;
}

}  // namespace magpie
