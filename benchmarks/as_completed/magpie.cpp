#include <magpie/magpie.hpp>

#include <cstdint>
#include <utility>

#include "support/magpie_numbers.hpp"
#include "support/numbered_tasks.hpp"
#include "support/program.hpp"

namespace {

magpie::task<std::int64_t> take_each(std::int64_t count) {
  auto ended = magpie::as_completed(bench::spawn_numbers(count));
  std::int64_t sum = 0;
  while (const auto each = co_await ended.next()) sum += each->result();
  co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "as_completed/magpie");
  magpie::runtime runtime({.workers = program.workers()});
  const auto add = [&](const char* name, std::int64_t full) {
    const bench::numbered_tasks problem{bench::scaled(full)};
    program.measure(name, problem.count, bench::warm_up::one_run, [&runtime, problem] {
      problem.check_sum(runtime.block_on(take_each(problem.count)));
    });
  };
  add("hundred_thousand", 100'000);
  add("million", 1'000'000);
  return program.run();
}
