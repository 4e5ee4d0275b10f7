#include <oneapi/tbb/task_group.h>

#include <array>
#include <numeric>
#include <vector>

#include "support/tbb_arena.hpp"
#include "support/uts.hpp"

namespace {

std::uint64_t walk(bench::uts_node from) {
  if (!from.has_children()) return 1;
  std::array<std::uint64_t, bench::uts_node::children> counts{};
  tbb::task_group group;
  for (unsigned i = 1; i < counts.size(); ++i) {
    group.run([child = from.child(i), &to = counts[i]] { to = walk(child); });
  }
  counts[0] = walk(from.child(0));
  group.wait();
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{1});
}

std::uint64_t walk_all(const bench::uts_problem& problem) {
  std::vector<std::uint64_t> counts(problem.root_children);
  tbb::task_group group;
  for (unsigned i = 0; i < problem.root_children; ++i) {
    group.run([child = problem.root.child(i), &to = counts[i]] { to = walk(child); });
  }
  group.wait();
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{1});
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "uts/tbb");
  const bench::uts_problem problem;
  bench::tbb_arena arena(program.workers(), bench::tbb_arena::caller::computes);
  return bench::measure(program, static_cast<std::int64_t>(problem.nodes), [&] {
    return problem.time([&] { return arena.run([&] { return walk_all(problem); }); });
  });
}
