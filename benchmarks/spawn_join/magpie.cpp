#include <magpie/magpie.hpp>

#include <utility>
#include <vector>

#include "support/magpie_numbers.hpp"
#include "support/numbered_tasks.hpp"

namespace {

magpie::task<std::int64_t> spawn_and_join(std::int64_t count) {
  std::vector<magpie::task_handle<std::int64_t>> handles = bench::spawn_numbers(count);
  std::int64_t sum = 0;
  for (magpie::task_handle<std::int64_t>& handle : handles) {
    const std::int64_t value = co_await std::move(handle);
    sum += value;
  }
  co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "spawn_join/magpie");
  const bench::numbered_tasks problem;
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, problem.count, [&] {
    problem.check_sum(runtime.block_on(spawn_and_join(problem.count)));
  });
}
