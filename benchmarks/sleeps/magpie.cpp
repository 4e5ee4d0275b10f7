#include <magpie/magpie.hpp>

#include <vector>

#include "support/sleeps.hpp"

namespace {

magpie::task<> sleep_once(bench::sleeps_problem* problem, std::size_t number) {
  const auto begin = bench::clock::now();
  co_await magpie::sleep_for(bench::sleeps_problem::length(number));
  problem->woke(number, begin);
}

magpie::task<> sleep_all(bench::sleeps_problem* problem) {
  std::vector<magpie::task_handle<>> sleepers;
  sleepers.reserve(problem->count());
  for (std::size_t i = 0; i < problem->count(); ++i) {
    sleepers.push_back(magpie::spawn(sleep_once(problem, i)));
  }
  for (const magpie::task_handle<>& each : sleepers) co_await each;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "sleeps/magpie");
  bench::sleeps_problem problem;
  magpie::runtime runtime({.workers = program.workers()});
  return problem.measure(program, [&] { runtime.block_on(sleep_all(&problem)); });
}
