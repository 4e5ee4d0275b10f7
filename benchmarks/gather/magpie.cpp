#include <magpie/magpie.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/magpie_numbers.hpp"
#include "support/numbered_tasks.hpp"
#include "support/program.hpp"

namespace {

using bench::number;

std::vector<magpie::task<std::int64_t>> numbers(std::int64_t count) {
  std::vector<magpie::task<std::int64_t>> all;
  all.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) all.push_back(number(i));
  return all;
}

magpie::task<std::int64_t> values(std::int64_t count) {
  const auto all = co_await magpie::gather(numbers(count));
  std::int64_t sum = 0;
  for (const std::int64_t each : all) sum += each;
  co_return sum;
}

magpie::task<std::int64_t> outcomes(std::int64_t count) {
  const auto all = co_await magpie::gather(magpie::return_exceptions, numbers(count));
  std::int64_t sum = 0;
  for (const auto& each : all) sum += each.value();
  co_return sum;
}

magpie::task<std::int64_t> values_of_two(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; i += 2) {
    const auto [first, second] = co_await magpie::gather(number(i), number(i + 1));
    sum += first + second;
  }
  co_return sum;
}

magpie::task<std::int64_t> outcomes_of_two(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; i += 2) {
    const auto [first, second] =
        co_await magpie::gather(magpie::return_exceptions, number(i), number(i + 1));
    sum += first.value() + second.value();
  }
  co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "gather/magpie");
  const bench::numbered_tasks problem{2 * bench::scaled(500'000)};
  magpie::runtime runtime({.workers = program.workers()});
  const auto add = [&](const char* name, auto gather) {
    program.measure(name, problem.count, bench::warm_up::one_run, [&runtime, problem, gather] {
      problem.check_sum(runtime.block_on(gather(problem.count)));
    });
  };
  add("values", &values);
  add("outcomes", &outcomes);
  add("values_of_two", &values_of_two);
  add("outcomes_of_two", &outcomes_of_two);
  return program.run();
}
