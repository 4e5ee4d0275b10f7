#include <oneapi/tbb/task_group.h>

#include <array>
#include <numeric>

#include "support/skynet.hpp"
#include "support/tbb_arena.hpp"

namespace {

std::uint64_t skynet(unsigned depth, std::uint64_t first) {
  constexpr unsigned fan_out = bench::skynet_problem::fan_out;
  if (depth == 0) return first;
  std::array<std::uint64_t, fan_out> sums{};
  tbb::task_group group;
  for (unsigned i = 1; i < fan_out; ++i) {
    group.run([&sums, i, depth, first] { sums[i] = skynet(depth - 1, first * fan_out + i); });
  }
  sums[0] = skynet(depth - 1, first * fan_out);
  group.wait();
  return std::accumulate(sums.begin(), sums.end(), std::uint64_t{0});
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "skynet/tbb");
  const bench::skynet_problem problem;
  bench::tbb_arena arena(program.workers(), bench::tbb_arena::caller::computes);
  return bench::measure(program, problem.nodes(), [&] {
    problem.check_answer(arena.run([&] { return skynet(problem.depth, 0); }));
  });
}
