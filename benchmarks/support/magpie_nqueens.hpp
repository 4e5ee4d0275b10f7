#pragma once

#include <magpie/magpie.hpp>

#include "support/nqueens.hpp"

namespace bench {

/// The search of `row` from `column` on: the child of the first safe one beside the rest of the
/// row. A gather of two costs less than one of all children, which has to allocate a vector.
inline magpie::task<std::uint64_t> magpie_nqueens(unsigned size, unsigned row, unsigned column,
                                                  queens board) {
  if (row == size) co_return std::uint64_t{1};
  column = board.next_safe(size, row, column);
  if (column == size) co_return std::uint64_t{0};
  const queens child = board.with(row, column);
  const unsigned next = board.next_safe(size, row, column + 1);
  if (next == size) {
    const std::uint64_t only = co_await magpie_nqueens(size, row + 1, 0, child);
    co_return only;
  }
  const auto [first, others] = co_await magpie::gather(magpie_nqueens(size, row + 1, 0, child),
                                                       magpie_nqueens(size, row, next, board));
  co_return first + others;
}

}  // namespace bench
