#include <magpie/magpie.hpp>

#include "support/matmul.hpp"

namespace {

magpie::task<> multiply(bench::product whole) {
  if (whole.is_leaf()) {
    whole.compute_leaf();
    co_return;
  }
  for (std::size_t term = 0; term < 2; ++term) {
    co_await magpie::gather(multiply(whole.quarter(0, term)), multiply(whole.quarter(1, term)),
                            multiply(whole.quarter(2, term)), multiply(whole.quarter(3, term)));
  }
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "matmul/magpie");
  bench::matmul_problem problem;
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, 1, [&] {
    return problem.time([&](const bench::product& whole) { runtime.block_on(multiply(whole)); });
  });
}
