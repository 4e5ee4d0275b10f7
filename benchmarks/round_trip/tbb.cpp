#include "support/answer.hpp"
#include "support/round_trip.hpp"
#include "support/tbb_arena.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "round_trip/tbb");
  bench::tbb_arena arena(program.workers(), bench::tbb_arena::caller::is_outside);
  return bench::measure_round_trip(program, [&arena](std::int64_t i) {
    bench::answer result;
    arena.enqueue([&result, i] { result.give(i); });
    return result.wait();
  });
}
