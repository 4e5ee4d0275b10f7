#include "support/matmul.hpp"
#include "support/openmp_team.hpp"

namespace {

void multiply(const bench::product& whole) {
  if (whole.is_leaf()) return whole.compute_leaf();
  for (std::size_t term = 0; term < 2; ++term) {
    for (std::size_t number = 1; number < 4; ++number) {
      const bench::product part = whole.quarter(number, term);
#pragma omp task firstprivate(part)
      multiply(part);
    }
    multiply(whole.quarter(0, term));
#pragma omp taskwait
  }
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "matmul/openmp");
  bench::matmul_problem problem;
  return bench::measure(program, 1, [&] {
    return problem.time([&](const bench::product& whole) {
      bench::in_openmp_team(program.workers(), [&] {
        multiply(whole);
        return 0;
      });
    });
  });
}
