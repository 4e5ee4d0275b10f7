#include <magpie/magpie.hpp>

#include <chrono>
#include <cstdint>

#include "support/program.hpp"

namespace {

using namespace std::chrono_literals;

/// The rate is never reached.
magpie::task<> acquire_often(std::int64_t count) {
  magpie::rate_limiter limiter(magpie::rate{.count = 1'000'000'000, .period = 1s, .burst = 1000});
  for (std::int64_t i = 0; i < count; ++i) co_await limiter.acquire();
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "rate_limiter/magpie");
  const std::int64_t count = bench::scaled(10'000'000);
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, count, [&] { runtime.block_on(acquire_often(count)); });
}
