#include "support/magpie_parallel_nqueens.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "nqueens/magpie_parallel_invoke");
  const bench::nqueens_problem problem;
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, 1, [&] {
    problem.check_answer(runtime.block_on(bench::magpie_parallel_nqueens(problem.size)));
  });
}
