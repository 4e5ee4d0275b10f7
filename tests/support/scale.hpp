#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>

namespace magpie::test {

/// How much of a stress test's `full` size to do: the share MAGPIE_STRESS_SCALE, by default small
/// enough for every day. At least 1.
[[nodiscard]] inline std::size_t scaled(double full) {
  const char* given = std::getenv("MAGPIE_STRESS_SCALE");
  const double scale = given != nullptr ? std::stod(given) : 0.02;
  return static_cast<std::size_t>(std::max(full * scale, 1.0));
}

}  // namespace magpie::test
