#include "support/idle.hpp"
#include "support/tbb_arena.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "idle/tbb");
  bench::tbb_arena arena(program.workers(), bench::tbb_arena::caller::is_outside);
  return bench::measure_idle(program, [&arena] { arena.enqueue([] {}); });
}
