#pragma once

#include <chrono>
#include <thread>

namespace magpie::test {

/// Waits until `holds` returns true, giving the processor away between looks. False when that takes
/// so long that something must have been lost: a test then fails instead of hanging.
template <class Condition>
[[nodiscard]] bool eventually(Condition holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return holds();
    std::this_thread::yield();
  }
  return true;
}

}  // namespace magpie::test
