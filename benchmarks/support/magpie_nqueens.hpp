#pragma once

#include <array>
#include <magpie/magpie.hpp>

#include "support/nqueens.hpp"

namespace bench {

/// The search of `row` from column `from` on. Up to four children at a time, the last of which
/// stands for the rest of the row: a gather of so many costs less than one of a vector, which has
/// to be allocated.
inline magpie::task<std::uint64_t> magpie_nqueens(unsigned size, unsigned row, unsigned from,
                                                  queens board) {
  if (row == size) co_return std::uint64_t{1};
  std::array<unsigned, 4> safe;
  unsigned count = 0;
  for (unsigned column = board.next_safe(size, row, from); column < size && count < safe.size();
       column = board.next_safe(size, row, column + 1)) {
    safe[count++] = column;
  }
  const auto child = [&](unsigned number) {
    return magpie_nqueens(size, row + 1, 0, board.with(row, safe[number]));
  };
  switch (count) {
    case 0:
      co_return std::uint64_t{0};
    case 1: {
      const std::uint64_t only = co_await child(0);
      co_return only;
    }
    case 2: {
      const auto [a, b] = co_await magpie::gather(child(0), child(1));
      co_return a + b;
    }
    case 3: {
      const auto [a, b, c] = co_await magpie::gather(child(0), child(1), child(2));
      co_return a + b + c;
    }
    default: {
      const auto [a, b, c, rest] = co_await magpie::gather(
          child(0), child(1), child(2), magpie_nqueens(size, row, safe[3], board));
      co_return a + b + c + rest;
    }
  }
}

}  // namespace bench
