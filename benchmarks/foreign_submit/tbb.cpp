#include "support/foreign_submit.hpp"
#include "support/tbb_arena.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "foreign_submit/tbb");
  bench::tbb_arena arena(program.workers(), bench::tbb_arena::caller::is_outside);
  bench::measure_foreign_submit(program, [&arena] {
    return [&arena](bench::countdown& left) { arena.enqueue([&left] { left.one_ended(); }); };
  });
  return program.run();
}
