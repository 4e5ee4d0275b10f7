#include <magpie/magpie.hpp>

#include "support/alternation.hpp"

namespace {

magpie::task<> yield_often(unsigned self, std::int64_t count, bench::alternation* turns) {
  for (std::int64_t i = 0; i < count; ++i) {
    co_await magpie::yield();
    turns->step(self);
  }
}

magpie::task<> yield_in_turns(std::int64_t each, bench::alternation* turns) {
  const auto first = magpie::spawn(yield_often(0, each, turns));
  const auto second = magpie::spawn(yield_often(1, each, turns));
  co_await first;
  co_await second;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "yield/magpie");
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure_yield(program, [&](std::int64_t each, bench::alternation& turns) {
    runtime.block_on(yield_in_turns(each, &turns));
  });
}
