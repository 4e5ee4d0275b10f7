#include "support/mixed_load.hpp"
#include "support/tbb_arena.hpp"
#include "support/tbb_nqueens.hpp"

namespace {

void compute(bench::board_series& series) {
  std::uint64_t solutions = 0;
  do {
    solutions = bench::tbb_nqueens(bench::board_series::full_size, 0, bench::queens());
  } while (series.goes_on(solutions));
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "mixed_load/tbb");
  bench::tbb_arena arena(program.workers(), bench::tbb_arena::caller::computes);
  return bench::measure_mixed_load(
      program, [&](bench::board_series& series) { arena.run([&] { compute(series); }); },
      [&](bench::small_task& small) { arena.enqueue([&small] { small.run(); }); });
}
