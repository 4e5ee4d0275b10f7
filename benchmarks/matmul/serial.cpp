#include "support/matmul.hpp"

namespace {

void multiply(const bench::product& whole) {
  if (whole.is_leaf()) return whole.compute_leaf();
  for (std::size_t term = 0; term < 2; ++term) {
    for (std::size_t number = 0; number < 4; ++number) multiply(whole.quarter(number, term));
  }
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "matmul/serial");
  program.has_one_worker();
  bench::matmul_problem problem;
  return bench::measure(program, 1, [&] { return problem.time(multiply); });
}
