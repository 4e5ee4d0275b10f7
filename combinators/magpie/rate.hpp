#pragma once

#include <cstddef>
#include <magpie/clock.hpp>

namespace magpie {

/// How often something may start: `count` times in each period, evenly spaced. Up to `burst` more
/// may come early after a pause.
struct rate {
  std::size_t count = 1;
  duration period = std::chrono::seconds(1);
  std::size_t burst = 0;
};

namespace detail {

/// Computes when the next start is allowed: the generic cell rate algorithm of ITU-T I.371, the
/// leaky bucket as a meter. It keeps one moment, even_, at which the next start would come if all
/// came evenly, a *space* of period / count apart. Each start moves even_ on by a space. A start
/// may come `burst` spaces before even_, but not earlier. A start of weight w is w starts at once.
///
/// The meter notes when each start really came, so a late start does not draw the next ones nearer.
/// Of N starts in a row the last comes at least N - 1 - burst spaces after the first, rounded down.
/// So any window of a period, its end not counted, has at most count + burst starts.
///
/// Spaces are not rounded: a moment is kept as a number of units, of which a nanosecond has
/// `count`.
class rate_meter {
 public:
  /// A rate above one in a nanosecond counts as one in a nanosecond. Throws invalid_state when the
  /// rate's count or period is not above zero.
  explicit rate_meter(const rate& allowed);

  // A weight is at least 1, and at most most_weight(), which is burst + 1.

  [[nodiscard]] std::size_t most_weight() const noexcept { return most_weight_; }

  [[nodiscard]] bool allows(std::size_t weight, time_point when) const noexcept {
    return units_at(when) >= earliest(weight);
  }
  /// Returns the earliest moment at which a start of this weight is allowed.
  [[nodiscard]] time_point next(std::size_t weight = 1) const noexcept;
  void begin(time_point when, std::size_t weight = 1) noexcept;

 private:
  __extension__ typedef __int128 units;

  // A longer time counts as this one, 146 years. So all products and sums stay within 127 bits.
  static constexpr duration longest = duration::max() / 2;

  [[nodiscard]] units units_at(time_point when) const noexcept {
    return units{when.time_since_epoch().count()} * count_;
  }
  [[nodiscard]] units spaces(std::size_t number) const noexcept {
    return units{period_} * static_cast<units>(number < most_spaces_ ? number : most_spaces_);
  }
  [[nodiscard]] units earliest(std::size_t weight) const noexcept {
    return even_ - tolerance_ + spaces(weight - 1);
  }

  const duration::rep period_;     // the length of a space in units
  const duration::rep count_;      // units in a nanosecond
  const std::size_t most_spaces_;  // in the longest time
  const std::size_t most_weight_;
  const units tolerance_;
  units even_;
};

}  // namespace detail

}  // namespace magpie
