#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "support/program.hpp"

namespace bench {

/// The size of the kernel spawn_join, and its answer: task i gives i.
struct numbered_tasks {
  std::int64_t count = scaled(1'000'000);

  void check_sum(std::int64_t sum) const { check(sum == count * (count - 1) / 2, "spawn_join"); }

  /// For rivals whose tasks return nothing: they write into a vector.
  [[nodiscard]] std::vector<std::int64_t> places() const {
    return std::vector<std::int64_t>(static_cast<std::size_t>(count));
  }
  void check_places(const std::vector<std::int64_t>& places) const {
    check_sum(std::accumulate(places.begin(), places.end(), std::int64_t{0}));
  }
};

}  // namespace bench
