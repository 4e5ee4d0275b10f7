#include "support/skynet.hpp"

namespace {

std::uint64_t skynet(unsigned depth, std::uint64_t first) {
  if (depth == 0) return first;
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < bench::skynet_problem::fan_out; ++i) {
    sum += skynet(depth - 1, first * bench::skynet_problem::fan_out + i);
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "skynet/serial");
  program.has_one_worker();
  const bench::skynet_problem problem;
  return bench::measure(program, problem.nodes(),
                        [&] { problem.check_answer(skynet(problem.depth, 0)); });
}
