#pragma once

#include <cstdint>

namespace magpie::detail::idle_word {

// One word says how many workers sleep (low half) and how many are awake without a job and search
// for one (high half). "scheduler/idle.hpp" moves it; a fork only reads it.

inline constexpr std::uint64_t one_sleeping = 1;
inline constexpr std::uint64_t one_searching = std::uint64_t{1} << 32;

[[nodiscard]] constexpr std::uint64_t sleeping(std::uint64_t word) noexcept {
  return word & (one_searching - 1);
}

[[nodiscard]] constexpr std::uint64_t searching(std::uint64_t word) noexcept { return word >> 32; }

/// Somebody sleeps and nobody searches: work published now would wait for a busy worker.
[[nodiscard]] constexpr bool wants_waking(std::uint64_t word) noexcept {
  return word - 1 < one_searching - 1;
}

}  // namespace magpie::detail::idle_word
