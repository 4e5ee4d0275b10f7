#include <magpie/magpie.hpp>

#include "support/fib.hpp"

namespace {

magpie::task<std::uint64_t> fib(unsigned n) {
  if (n < 2) co_return n;
  const auto [a, b] = co_await magpie::gather(fib(n - 1), fib(n - 2));
  co_return a + b;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "fib/magpie");
  const bench::fib_problem problem;
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, problem.calls(),
                        [&] { problem.check_answer(runtime.block_on(fib(problem.n))); });
}
