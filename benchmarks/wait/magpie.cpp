#include <magpie/magpie.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/magpie_numbers.hpp"
#include "support/numbered_tasks.hpp"
#include "support/program.hpp"

namespace {

using handles = std::vector<magpie::task_handle<std::int64_t>>;

magpie::task<std::int64_t> wait_for_all(std::int64_t count) {
  const auto found = co_await magpie::wait(bench::spawn_numbers(count));
  std::int64_t sum = 0;
  for (const auto& each : found.done) sum += each.result();
  co_return sum;
}

/// Waits for the first of those that are left, until none is left. `go_on` is called before each
/// wait.
template <class GoOn>
magpie::task<std::int64_t> wait_for_first(handles pending, GoOn go_on) {
  std::int64_t sum = 0;
  while (!pending.empty()) {
    go_on();
    auto found = co_await magpie::wait(std::move(pending), magpie::until::first_completed);
    for (const auto& each : found.done) sum += each.result();
    pending = std::move(found.pending);
  }
  co_return sum;
}

magpie::task<std::int64_t> as_they_come(std::int64_t count) {
  const std::int64_t sum = co_await wait_for_first(bench::spawn_numbers(count), [] {});
  co_return sum;
}

/// Only one task at a time can end.
magpie::task<std::int64_t> one_by_one(std::int64_t count) {
  magpie::semaphore may_end(0);
  const auto number = [&may_end](std::int64_t value) -> magpie::task<std::int64_t> {
    (co_await may_end.acquire()).detach();
    co_return value;
  };
  handles all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back(magpie::spawn(number(i)));
  const std::int64_t sum = co_await wait_for_first(std::move(all), [&] { may_end.release(); });
  co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "wait/magpie");
  magpie::runtime runtime({.workers = program.workers()});
  const auto add = [&](const char* name, std::int64_t full, std::int64_t rounds, auto wait) {
    const bench::numbered_tasks problem{bench::scaled(full)};
    program.measure(name, problem.count * rounds, bench::warm_up::one_run, [=, &runtime] {
      for (std::int64_t i = 0; i < rounds; ++i) {
        problem.check_sum(runtime.block_on(wait(problem.count)));
      }
    });
  };
  add("all_hundred_thousand", 100'000, 1, &wait_for_all);
  add("all_million", 1'000'000, 1, &wait_for_all);
  add("first_as_they_come", 1000, 100, &as_they_come);
  add("first_one_by_one", 1000, 100, &one_by_one);
  return program.run();
}
