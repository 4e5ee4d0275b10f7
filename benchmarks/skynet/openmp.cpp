#include <array>
#include <numeric>

#include "support/openmp_team.hpp"
#include "support/skynet.hpp"

namespace {

std::uint64_t skynet(unsigned depth, std::uint64_t first) {
  constexpr unsigned fan_out = bench::skynet_problem::fan_out;
  if (depth == 0) return first;
  std::array<std::uint64_t, fan_out> sums{};
  for (unsigned i = 1; i < fan_out; ++i) {
#pragma omp task shared(sums) firstprivate(i, depth, first)
    sums[i] = skynet(depth - 1, first * fan_out + i);
  }
  sums[0] = skynet(depth - 1, first * fan_out);
#pragma omp taskwait
  return std::accumulate(sums.begin(), sums.end(), std::uint64_t{0});
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "skynet/openmp");
  const bench::skynet_problem problem;
  return bench::measure(program, problem.nodes(), [&] {
    problem.check_answer(
        bench::in_openmp_team(program.workers(), [&] { return skynet(problem.depth, 0); }));
  });
}
