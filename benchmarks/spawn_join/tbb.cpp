#include <oneapi/tbb/task_group.h>

#include "support/numbered_tasks.hpp"
#include "support/tbb_arena.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "spawn_join/tbb");
  const bench::numbered_tasks problem;
  bench::tbb_arena arena(program.workers(), bench::tbb_arena::caller::computes);
  return bench::measure(program, problem.count, [&] {
    std::vector<std::int64_t> places = problem.places();
    arena.run([&] {
      tbb::task_group group;
      std::int64_t i = 0;
      for (std::int64_t& place : places) group.run([&place, value = i++] { place = value; });
      group.wait();
    });
    problem.check_places(places);
  });
}
