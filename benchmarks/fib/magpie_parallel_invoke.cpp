#include <magpie/magpie.hpp>
#include <magpie/parallel_invoke.hpp>

#include "support/fib.hpp"

namespace {

std::uint64_t fib(unsigned n) {
  if (n < 2) return n;
  const auto [a, b] =
      magpie::parallel_invoke([n] { return fib(n - 1); }, [n] { return fib(n - 2); });
  return a + b;
}

magpie::task<std::uint64_t> start(unsigned n) { co_return fib(n); }

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "fib/magpie_parallel_invoke");
  const bench::fib_problem problem;
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, problem.calls(),
                        [&] { problem.check_answer(runtime.block_on(start(problem.n))); });
}
