#include <magpie/magpie.hpp>

#include <tuple>
#include <utility>

#include "support/skynet.hpp"

namespace {

magpie::task<std::uint64_t> skynet(unsigned depth, std::uint64_t first);

/// All children of a node, forked at once.
template <std::size_t... Numbers>
auto children(unsigned depth, std::uint64_t first, std::index_sequence<Numbers...>) {
  return magpie::gather(skynet(depth, first + Numbers)...);
}

magpie::task<std::uint64_t> skynet(unsigned depth, std::uint64_t first) {
  constexpr std::size_t fan_out = bench::skynet_problem::fan_out;
  if (depth == 0) co_return first;
  const auto sums =
      co_await children(depth - 1, first * fan_out, std::make_index_sequence<fan_out>());
  co_return std::apply([](auto... each) { return (each + ...); }, sums);
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "skynet/magpie");
  const bench::skynet_problem problem;
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, problem.nodes(),
                        [&] { problem.check_answer(runtime.block_on(skynet(problem.depth, 0))); });
}
