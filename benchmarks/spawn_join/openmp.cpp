#include "support/numbered_tasks.hpp"
#include "support/openmp_team.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "spawn_join/openmp");
  const bench::numbered_tasks problem;
  return bench::measure(program, problem.count, [&] {
    std::vector<std::int64_t> places = problem.places();
    bench::in_openmp_team(program.workers(), [&] {
      std::int64_t* const first = places.data();
      for (std::int64_t i = 0; i < problem.count; ++i) {
#pragma omp task firstprivate(first, i)
        first[i] = i;
      }
#pragma omp taskwait
      return 0;
    });
    problem.check_places(places);
  });
}
