#include "support/fib.hpp"

namespace {

std::uint64_t fib(unsigned n) {
  if (n < 2) return n;
  return fib(n - 1) + fib(n - 2);
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "fib/serial");
  program.has_one_worker();
  const bench::fib_problem problem;
  return bench::measure(program, problem.calls(), [&] { problem.check_answer(fib(problem.n)); });
}
