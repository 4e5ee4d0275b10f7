#include <oneapi/tbb/task_group.h>

#include "support/fib.hpp"
#include "support/tbb_arena.hpp"

namespace {

// A task_group with one half in the calling thread; parallel_invoke takes as long.
std::uint64_t fib(unsigned n) {
  if (n < 2) return n;
  std::uint64_t a = 0;
  tbb::task_group group;
  group.run([&a, n] { a = fib(n - 1); });
  const std::uint64_t b = fib(n - 2);
  group.wait();
  return a + b;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "fib/tbb");
  const bench::fib_problem problem;
  bench::tbb_arena arena(program.workers(), bench::tbb_arena::caller::computes);
  return bench::measure(program, problem.calls(),
                        [&] { problem.check_answer(arena.run([&] { return fib(problem.n); })); });
}
