#include <magpie/magpie.hpp>

#include "support/round_trip.hpp"

namespace {

magpie::task<std::int64_t> number(std::int64_t value) { co_return value; }

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "round_trip/magpie");
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure_round_trip(
      program, [&runtime](std::int64_t i) { return runtime.block_on(number(i)); });
}
