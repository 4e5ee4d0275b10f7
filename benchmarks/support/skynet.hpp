#pragma once

#include <algorithm>
#include <cstdint>

#include "support/program.hpp"

namespace bench {

/// The size of the kernel skynet and its answer.
struct skynet_problem {
  static constexpr unsigned fan_out = 10;

  unsigned depth = std::max(2U, 7U - std::min(5U, steps_down(fan_out)));

  [[nodiscard]] std::uint64_t leaves() const noexcept {
    std::uint64_t count = 1;
    for (unsigned level = 0; level < depth; ++level) count *= fan_out;
    return count;
  }

  [[nodiscard]] std::int64_t nodes() const noexcept {
    return static_cast<std::int64_t>((leaves() * fan_out - 1) / (fan_out - 1));
  }

  void check_answer(std::uint64_t sum) const {
    check(sum == leaves() * (leaves() - 1) / 2, "skynet");
  }
};

}  // namespace bench
