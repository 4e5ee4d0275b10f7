#include "support/uts.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "uts/serial");
  program.has_one_worker();
  const bench::uts_problem problem;
  return bench::measure(program, static_cast<std::int64_t>(problem.nodes),
                        [&] { return problem.time([&] { return problem.count(); }); });
}
