#include "support/tbb_arena.hpp"
#include "support/tbb_nqueens.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "nqueens/tbb");
  const bench::nqueens_problem problem;
  bench::tbb_arena arena(program.workers(), bench::tbb_arena::caller::computes);
  return bench::measure(program, 1, [&] {
    problem.check_answer(
        arena.run([&] { return bench::tbb_nqueens(problem.size, 0, bench::queens()); }));
  });
}
