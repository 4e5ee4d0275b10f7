#include <magpie/rate.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <magpie/detail/misuse.hpp>

namespace magpie::detail {

namespace {

const rate& checked(const rate& allowed) {
  if (allowed.count == 0 || allowed.period <= duration::zero()) {
    throw_invalid_state("a rate of at least one in a time above zero");
  }
  return allowed;
}

}  // namespace

rate_meter::rate_meter(const rate& allowed)
    : period_(checked(allowed).period.count()),
      count_(static_cast<duration::rep>(
          std::min(allowed.count, static_cast<std::size_t>(allowed.period.count())))),
      most_spaces_(static_cast<std::size_t>(
          std::min(units{longest.count()} * count_ / period_, units{SIZE_MAX}))),
      most_weight_(std::max(allowed.burst + 1, allowed.burst)),
      tolerance_(spaces(allowed.burst)),
      even_(units{std::numeric_limits<duration::rep>::min() / 2} * count_) {}

time_point rate_meter::next(std::size_t weight) const noexcept {
  const units at = earliest(weight);
  const units rounded_down = at / count_ - (at % count_ < 0 ? 1 : 0);
  return time_point(
      duration(static_cast<duration::rep>(rounded_down) + (rounded_down * count_ == at ? 0 : 1)));
}

/// A start that is late by less than a nanosecond is not late. So N starts in a row take N - 1 -
/// burst spaces, rounded down. A period is a whole number of nanoseconds: the bound of a window
/// holds.
void rate_meter::begin(time_point when, std::size_t weight) noexcept {
  const units last = units{time_point::max().time_since_epoch().count()} * count_;
  even_ = std::min(last, std::max(units_at(when) - (count_ - 1), even_) + spaces(weight));
}

}  // namespace magpie::detail
