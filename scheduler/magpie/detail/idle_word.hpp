#pragma once

#include <cstdint>

namespace magpie::detail::idle_word {

// One word says how many workers sleep and how many are awake without a job and search for one:
// searching * 2^32 - sleeping. So it is negative exactly when somebody sleeps and nobody searches,
// which a fork finds out by one comparison. "scheduler/idle.hpp" moves it.

inline constexpr std::int64_t one_sleeping = -1;
inline constexpr std::int64_t one_searching = std::int64_t{1} << 32;

[[nodiscard]] constexpr std::int64_t searching(std::int64_t word) noexcept {
  return (word + one_searching - 1) >> 32;
}

[[nodiscard]] constexpr std::int64_t sleeping(std::int64_t word) noexcept {
  return searching(word) * one_searching - word;
}

/// Work that is published now would wait for a busy worker.
[[nodiscard]] constexpr bool wants_waking(std::int64_t word) noexcept { return word < 0; }

}  // namespace magpie::detail::idle_word
