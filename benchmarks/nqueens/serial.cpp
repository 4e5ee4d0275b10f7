#include "support/nqueens.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "nqueens/serial");
  program.has_one_worker();
  const bench::nqueens_problem problem;
  return bench::measure(program, 1, [&] {
    problem.check_answer(bench::count_solutions(problem.size, 0, bench::queens()));
  });
}
