#pragma once

#include <cstdint>

namespace magpie::detail::idle_word {

// One word counts the workers that search (they are awake without a job) and those that sleep:
// searching * 2^32 - sleeping. So the word is negative exactly when a worker sleeps and none
// searches, which a fork finds out by one comparison. "scheduler/idle.hpp" moves the word.

inline constexpr std::int64_t one_sleeping = -1;
inline constexpr std::int64_t one_searching = std::int64_t{1} << 32;

[[nodiscard]] constexpr std::int64_t searching(std::int64_t word) noexcept {
  return (word + one_searching - 1) >> 32;
}

[[nodiscard]] constexpr std::int64_t sleeping(std::int64_t word) noexcept {
  return searching(word) * one_searching - word;
}

/// True when a job that is published now would wait for a busy worker, although another one sleeps.
[[nodiscard]] constexpr bool wants_waking(std::int64_t word) noexcept { return word < 0; }

}  // namespace magpie::detail::idle_word
