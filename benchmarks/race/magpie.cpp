#include <magpie/magpie.hpp>

#include <cstdint>

#include "support/magpie_numbers.hpp"
#include "support/program.hpp"

namespace {

magpie::task<std::int64_t> race_often(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    sum += co_await magpie::race(bench::number(1), bench::number(2));
  }
  co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "race/magpie");
  const std::int64_t count = bench::scaled(1'000'000);
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, count, [&] {
    const std::int64_t sum = runtime.block_on(race_often(count));
    bench::check(sum >= count && sum <= 2 * count, "race");
  });
}
