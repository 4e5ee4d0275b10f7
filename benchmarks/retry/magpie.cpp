#include <magpie/magpie.hpp>

#include <chrono>
#include <cstdint>

#include "support/magpie_numbers.hpp"
#include "support/program.hpp"

namespace {

using namespace std::chrono_literals;

magpie::task<std::int64_t> wait_often(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += co_await magpie::wait_for(bench::number(1), 1s);
  co_return sum;
}

magpie::task<std::int64_t> retry_often(std::int64_t count) {
  std::int64_t sum = 0;
  const auto make = [] { return bench::number(1); };
  for (std::int64_t i = 0; i < count; ++i) {
    sum += co_await magpie::retry({.attempts = 3, .timeout = 1s}, make);
  }
  co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "retry/magpie");
  const std::int64_t count = bench::scaled(1'000'000);
  magpie::runtime runtime({.workers = program.workers()});
  const auto add = [&](const char* name, auto often) {
    program.measure(name, count, bench::warm_up::one_run, [&runtime, count, often] {
      bench::check(runtime.block_on(often(count)) == count, "retry");
    });
  };
  add("wait_for", &wait_often);
  add("retry", &retry_often);
  return program.run();
}
