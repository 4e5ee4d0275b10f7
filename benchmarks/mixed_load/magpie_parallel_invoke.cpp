#include "support/magpie_parallel_nqueens.hpp"
#include "support/mixed_load.hpp"

namespace {

magpie::task<> compute(bench::board_series* series) {
  std::uint64_t solutions = 0;
  do {
    solutions = co_await bench::magpie_parallel_nqueens(bench::board_series::full_size);
  } while (series->goes_on(solutions));
}

magpie::task<> run_small(bench::small_task* small) {
  small->run();
  co_return;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "mixed_load/magpie_parallel_invoke");
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure_mixed_load(
      program, [&](bench::board_series& series) { runtime.block_on(compute(&series)); },
      [&](bench::small_task& small) { runtime.spawn(run_small(&small)); });
}
