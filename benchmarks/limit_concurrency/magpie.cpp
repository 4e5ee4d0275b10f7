#include <magpie/magpie.hpp>

#include <cstdint>
#include <numeric>
#include <ranges>

#include "support/magpie_numbers.hpp"
#include "support/numbered_tasks.hpp"
#include "support/program.hpp"

namespace {

magpie::task<std::int64_t> map_ten_at_once(std::int64_t count) {
  const auto items = std::views::iota(std::int64_t{0}, count);
  const auto results = co_await magpie::map_concurrent(items, 10, &bench::number);
  co_return std::accumulate(results.begin(), results.end(), std::int64_t{0});
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "limit_concurrency/magpie");
  const bench::numbered_tasks problem;
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, problem.count, [&] {
    problem.check_sum(runtime.block_on(map_ten_at_once(problem.count)));
  });
}
