#include <array>
#include <numeric>
#include <vector>

#include "support/openmp_team.hpp"
#include "support/uts.hpp"

namespace {

std::uint64_t walk(bench::uts_node from) {
  if (!from.has_children()) return 1;
  std::array<std::uint64_t, bench::uts_node::children> counts{};
  for (unsigned i = 1; i < counts.size(); ++i) {
    const bench::uts_node child = from.child(i);
#pragma omp task shared(counts) firstprivate(child, i)
    counts[i] = walk(child);
  }
  counts[0] = walk(from.child(0));
#pragma omp taskwait
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{1});
}

std::uint64_t walk_all(const bench::uts_problem& problem) {
  std::vector<std::uint64_t> counts(problem.root_children);
  for (unsigned i = 0; i < problem.root_children; ++i) {
    const bench::uts_node child = problem.root.child(i);
#pragma omp task shared(counts) firstprivate(child, i)
    counts[i] = walk(child);
  }
#pragma omp taskwait
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{1});
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "uts/openmp");
  const bench::uts_problem problem;
  return bench::measure(program, static_cast<std::int64_t>(problem.nodes), [&] {
    return problem.time([&] {
      return bench::in_openmp_team(program.workers(), [&] { return walk_all(problem); });
    });
  });
}
