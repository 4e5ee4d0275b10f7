#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>

namespace magpie::test {

/// AddressSanitizer goes through the whole stack at each throw.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAGPIE_THROWS_SLOWLY
#endif
#endif
#ifdef MAGPIE_THROWS_SLOWLY
inline constexpr bool throws_slowly = true;
#undef MAGPIE_THROWS_SLOWLY
#else
inline constexpr bool throws_slowly = false;
#endif

/// The share of its full size that a stress test does: MAGPIE_STRESS_SCALE, by default small enough
/// for every day.
[[nodiscard]] inline double stress_scale() {
  const char* given = std::getenv("MAGPIE_STRESS_SCALE");
  return given != nullptr ? std::stod(given) : 0.02;
}

/// What to do of a stress test's `full` size. At least 1.
[[nodiscard]] inline std::size_t scaled(double full) {
  return static_cast<std::size_t>(std::max(full * stress_scale(), 1.0));
}

}  // namespace magpie::test
