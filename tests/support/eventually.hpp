#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>

namespace magpie::test {

/// What this thread does in eventually() between two looks. Null: it gives the processor away. A
/// pointer, since a thread-local object with a destructor needs memory, and there are tests that
/// have none.
inline thread_local const std::function<void()>* meanwhile = nullptr;

/// Waits until `holds` returns true, giving the processor away between looks. False when that takes
/// so long that something must have been lost: a test then fails instead of hanging.
template <class Condition>
[[nodiscard]] bool eventually(Condition holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return holds();
    meanwhile != nullptr ? (*meanwhile)() : std::this_thread::yield();
  }
  return true;
}

/// Waits until `counter()` has reached `target`, as long as that takes. False when it stands still
/// for so long that something must have been lost.
template <class Counter>
[[nodiscard]] bool reaches(Counter counter, std::size_t target) {
  for (std::size_t seen = counter(); seen < target; seen = counter()) {
    if (!eventually([&] { return counter() != seen; })) return false;
  }
  return true;
}

}  // namespace magpie::test
