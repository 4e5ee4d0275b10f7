#include "support/fib.hpp"
#include "support/openmp_team.hpp"

namespace {

std::uint64_t fib(unsigned n) {
  if (n < 2) return n;
  std::uint64_t a = 0;
#pragma omp task shared(a) firstprivate(n)
  a = fib(n - 1);
  const std::uint64_t b = fib(n - 2);
#pragma omp taskwait
  return a + b;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "fib/openmp");
  const bench::fib_problem problem;
  return bench::measure(program, problem.calls(), [&] {
    problem.check_answer(bench::in_openmp_team(program.workers(), [&] { return fib(problem.n); }));
  });
}
