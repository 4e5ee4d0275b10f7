#pragma once

#include <cstdint>
#include <limits>

namespace magpie::detail {

/// One value of a fork lane's guard: an index, and then the owner may use the items at and above
/// it; or one of four words. The words are greater than any index, so the owner's one comparison
/// finds every reason not to use an item.
struct fork_lane_guard {
  static constexpr std::int64_t is_fenced = std::numeric_limits<std::int64_t>::max() - 3;
  static constexpr std::int64_t is_busy = is_fenced + 1;
  static constexpr std::int64_t is_wanted = is_fenced + 2;
  static constexpr std::int64_t is_raided = is_fenced + 3;

  /// May the owner use the item only once it has taken the guard?
  [[nodiscard]] constexpr bool bars(std::int64_t index) const noexcept { return word > index; }
  /// Does nobody hold the guard, and has no thief requested items?
  [[nodiscard]] constexpr bool is_calm() const noexcept { return word <= is_fenced; }
  /// Has a thief requested items that the owner has not made public yet?
  [[nodiscard]] constexpr bool has_request() const noexcept { return word == is_wanted; }
  /// Does a raider hold the guard?
  [[nodiscard]] constexpr bool has_raider() const noexcept { return word == is_raided; }

  std::int64_t word = 0;
};

}  // namespace magpie::detail
