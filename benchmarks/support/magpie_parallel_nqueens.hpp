#pragma once

#include <magpie/magpie.hpp>
#include <magpie/parallel_invoke.hpp>

#include "support/nqueens.hpp"

namespace bench {

/// The search of `row` from `column` on, by parallel_invoke: the child of the first safe one beside
/// the rest of the row. Called in a task.
[[nodiscard]] inline std::uint64_t count_parallel(unsigned size, unsigned row, unsigned column,
                                                  const queens& board) {
  if (row == size) return 1;
  column = board.next_safe(size, row, column);
  if (column == size) return 0;
  const queens child = board.with(row, column);
  const unsigned next = board.next_safe(size, row, column + 1);
  if (next == size) return count_parallel(size, row + 1, 0, child);
  const auto [first, others] =
      magpie::parallel_invoke([&] { return count_parallel(size, row + 1, 0, child); },
                              [&] { return count_parallel(size, row, next, board); });
  return first + others;
}

inline magpie::task<std::uint64_t> magpie_parallel_nqueens(unsigned size) {
  co_return count_parallel(size, 0, 0, queens());
}

}  // namespace bench
