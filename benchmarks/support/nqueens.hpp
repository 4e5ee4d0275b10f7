#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "support/program.hpp"

namespace bench {

/// Queens on a board: the column of each row's queen. A child of a search node has its own copy.
struct queens {
  static constexpr unsigned most = 13;

  /// This board with one queen more, in `row`.
  [[nodiscard]] queens with(unsigned row, unsigned column) const noexcept {
    queens child = *this;
    child.columns[row] = static_cast<std::uint8_t>(column);
    return child;
  }

  /// The first column from `column` on that no queen of an earlier row attacks, or `size`.
  [[nodiscard]] unsigned next_safe(unsigned size, unsigned row, unsigned column) const noexcept {
    while (column < size && !is_safe(row, column)) ++column;
    return column;
  }

  [[nodiscard]] bool is_safe(unsigned row, unsigned column) const noexcept {
    for (unsigned other = 0; other < row; ++other) {
      const unsigned distance = row - other;
      const unsigned place = columns[other];
      if (place == column || place == column + distance || place + distance == column) return false;
    }
    return true;
  }

  std::array<std::uint8_t, most> columns{};
};

/// The size of a search and its answer.
struct nqueens_problem {
  unsigned size = std::max(6U, queens::most - std::min(7U, steps_down(5)));

  void check_answer(std::uint64_t solutions) const {
    constexpr std::array<std::uint64_t, queens::most + 1> known{
        1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14'200, 73'712};
    check(solutions == known[size], "nqueens");
  }
};

/// The search without any forks.
[[nodiscard]] inline std::uint64_t count_solutions(unsigned size, unsigned row,
                                                   const queens& board) noexcept {
  if (row == size) return 1;
  std::uint64_t solutions = 0;
  for (unsigned column = board.next_safe(size, row, 0); column < size;
       column = board.next_safe(size, row, column + 1)) {
    solutions += count_solutions(size, row + 1, board.with(row, column));
  }
  return solutions;
}

}  // namespace bench
