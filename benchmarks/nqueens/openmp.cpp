#include <array>
#include <numeric>

#include "support/nqueens.hpp"
#include "support/openmp_team.hpp"

namespace {

std::uint64_t search(unsigned size, unsigned row, const bench::queens& board) {
  if (row == size) return 1;
  std::array<std::uint64_t, bench::queens::most> solutions{};
  unsigned column = board.next_safe(size, row, 0);
  while (column < size) {
    const unsigned next = board.next_safe(size, row, column + 1);
    const bench::queens child = board.with(row, column);
#pragma omp task shared(solutions) firstprivate(size, row, column, child) if (next < size)
    solutions[column] = search(size, row + 1, child);
    column = next;
  }
#pragma omp taskwait
  return std::accumulate(solutions.begin(), solutions.end(), std::uint64_t{0});
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "nqueens/openmp");
  const bench::nqueens_problem problem;
  return bench::measure(program, 1, [&] {
    problem.check_answer(bench::in_openmp_team(
        program.workers(), [&] { return search(problem.size, 0, bench::queens()); }));
  });
}
