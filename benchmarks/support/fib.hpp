#pragma once

#include <algorithm>
#include <cstdint>

#include "support/program.hpp"

namespace bench {

/// The size of the kernel fib and its answer.
struct fib_problem {
  unsigned n = std::max(10U, 37U - std::min(27U, steps_down(1.618)));

  /// The n-th number of Fibonacci.
  [[nodiscard]] static constexpr std::uint64_t answer(unsigned n) noexcept {
    std::uint64_t here = 0;
    std::uint64_t next = 1;
    for (; n > 0; --n) {
      const std::uint64_t sum = here + next;
      here = next;
      next = sum;
    }
    return here;
  }

  [[nodiscard]] std::int64_t calls() const noexcept {
    return static_cast<std::int64_t>(2 * answer(n + 1) - 1);
  }

  void check_answer(std::uint64_t result) const { check(result == answer(n), "fib"); }
};

}  // namespace bench
