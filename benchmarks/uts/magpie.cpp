#include <magpie/magpie.hpp>

#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "support/uts.hpp"

namespace {

magpie::task<std::uint64_t> walk(bench::uts_node from);

/// All children of a node, forked at once.
template <unsigned... Numbers>
auto children(bench::uts_node from, std::integer_sequence<unsigned, Numbers...>) {
  return magpie::gather(walk(from.child(Numbers))...);
}

magpie::task<std::uint64_t> walk(bench::uts_node from) {
  if (!from.has_children()) co_return std::uint64_t{1};
  const auto counts =
      co_await children(from, std::make_integer_sequence<unsigned, bench::uts_node::children>());
  co_return 1 + std::apply([](auto... each) { return (each + ...); }, counts);
}

magpie::task<std::uint64_t> walk_all(const bench::uts_problem* problem) {
  std::vector<magpie::task<std::uint64_t>> parts;
  parts.reserve(problem->root_children);
  for (unsigned i = 0; i < problem->root_children; ++i) {
    parts.push_back(walk(problem->root.child(i)));
  }
  const std::vector<std::uint64_t> counts = co_await magpie::gather(std::move(parts));
  co_return std::accumulate(counts.begin(), counts.end(), std::uint64_t{1});
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "uts/magpie");
  const bench::uts_problem problem;
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, static_cast<std::int64_t>(problem.nodes), [&] {
    return problem.time([&] { return runtime.block_on(walk_all(&problem)); });
  });
}
