#pragma once

#include <atomic>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>

namespace magpie::test {

/// How many coroutines of a test have begun to wait, and how many have ended: as a number, these.
struct tally {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};

  operator int() const noexcept { return ended; }  // NOLINT(google-explicit-constructor)

  /// Waits until so many have begun.
  [[nodiscard]] task<> until_begun(int count) {
    while (begun < count) co_await sleep_for(std::chrono::microseconds(20));
  }
};

}  // namespace magpie::test
