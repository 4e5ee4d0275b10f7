#include <oneapi/tbb/task_group.h>

#include "support/matmul.hpp"
#include "support/tbb_arena.hpp"

namespace {

void multiply(const bench::product& whole) {
  if (whole.is_leaf()) return whole.compute_leaf();
  for (std::size_t term = 0; term < 2; ++term) {
    tbb::task_group group;
    for (std::size_t number = 1; number < 4; ++number) {
      group.run([part = whole.quarter(number, term)] { multiply(part); });
    }
    multiply(whole.quarter(0, term));
    group.wait();
  }
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "matmul/tbb");
  bench::matmul_problem problem;
  bench::tbb_arena arena(program.workers(), bench::tbb_arena::caller::computes);
  return bench::measure(program, 1, [&] {
    return problem.time([&](const bench::product& whole) { arena.run([&] { multiply(whole); }); });
  });
}
