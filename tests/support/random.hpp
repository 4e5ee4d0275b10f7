#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace magpie::test {

/// The seed of a random test: the environment's MAGPIE_SEED, which replays a run, or a fresh one.
/// Prints it, so that every failure can be replayed.
[[nodiscard]] inline std::uint64_t announced_seed() {
  const char* given = std::getenv("MAGPIE_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::cout << "MAGPIE_SEED=" << seed << std::endl;  // flushed: the next thing may be a crash
  return seed;
}

}  // namespace magpie::test
