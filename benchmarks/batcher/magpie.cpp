#include <magpie/magpie.hpp>

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "support/numbered_tasks.hpp"
#include "support/program.hpp"

namespace {

using batcher = magpie::batcher<std::int64_t, std::int64_t>;

constexpr std::int64_t submitters = 1000;

magpie::task<std::int64_t> submit(batcher& to, std::int64_t first, std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = first; i < count; i += submitters) sum += co_await to.submit(i);
  co_return sum;
}

magpie::task<std::int64_t> submit_all(std::int64_t count) {
  const auto same = [](std::vector<std::int64_t> items) -> magpie::task<std::vector<std::int64_t>> {
    co_return items;
  };
  batcher all({.size = 100, .delay = std::chrono::milliseconds(1)}, same);
  std::vector<magpie::task<std::int64_t>> tasks;
  for (std::int64_t i = 0; i < submitters; ++i) tasks.push_back(submit(all, i, count));
  const std::vector<std::int64_t> sums = co_await magpie::gather(std::move(tasks));
  co_return std::accumulate(sums.begin(), sums.end(), std::int64_t{0});
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "batcher/magpie");
  const bench::numbered_tasks problem;
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, problem.count,
                        [&] { problem.check_sum(runtime.block_on(submit_all(problem.count))); });
}
