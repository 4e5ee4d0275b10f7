#pragma once

#include <cstdint>
#include <magpie/detail/thread_mutex.hpp>

namespace magpie::detail {

/// The turn to forward cancel requests from task to task. One thread in the process has it at a
/// time, and blocks the others. Comes before every other lock.
class forwarding_turn {
 public:
  forwarding_turn() noexcept { mutex.lock(); }
  ~forwarding_turn() { mutex.unlock(); }
  forwarding_turn(const forwarding_turn&) = delete;
  forwarding_turn& operator=(const forwarding_turn&) = delete;

  /// Returns the number of this turn: 1, 2, ...
  [[nodiscard]] std::uint64_t begin() noexcept { return ++last_number; }

 private:
  static inline thread_mutex mutex;
  static inline std::uint64_t last_number = 0;
};

}  // namespace magpie::detail
