#include "numbers.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace treesum {
namespace {

/// "5 min 03 s": the smaller unit has two digits, so that a line redrawn in place does not dance.
std::string two_units(std::uint64_t large, const char* large_unit, std::uint64_t small,
                      const char* small_unit) {
  const std::string padding = small < 10 ? "0" : "";
  return std::to_string(large) + large_unit + padding + std::to_string(small) + small_unit;
}

}  // namespace

std::string one_decimal(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f", std::isfinite(value) ? value : 0.0);
  return text;
}

std::string megabytes(std::uint64_t bytes) { return one_decimal(static_cast<double>(bytes) / 1e6); }

std::string duration_text(double seconds) {
  constexpr double longest = 1e9;
  const auto whole = static_cast<std::uint64_t>(std::ceil(std::min(seconds, longest)));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return two_units(whole / 60, " min ", whole % 60, " s");
  return two_units(whole / 3600, " h ", whole % 3600 / 60, " min");
}

}  // namespace treesum
