#pragma once

#include <oneapi/tbb/task_group.h>

#include <array>
#include <cstdint>
#include <numeric>

#include "support/nqueens.hpp"

namespace bench {

/// The search by task_group: a task for each child but the last, which stays on this thread.
[[nodiscard]] inline std::uint64_t tbb_nqueens(unsigned size, unsigned row, const queens& board) {
  if (row == size) return 1;
  std::array<std::uint64_t, queens::most> solutions{};
  tbb::task_group group;
  unsigned column = board.next_safe(size, row, 0);
  while (column < size) {
    const unsigned next = board.next_safe(size, row, column + 1);
    const auto search = [size, row, child = board.with(row, column), &to = solutions[column]] {
      to = tbb_nqueens(size, row + 1, child);
    };
    if (next < size) {
      group.run(search);
    } else {
      search();
    }
    column = next;
  }
  group.wait();
  return std::accumulate(solutions.begin(), solutions.end(), std::uint64_t{0});
}

}  // namespace bench
