#include <ranges>
#include <vector>

#include "tour.hpp"

namespace tour {

namespace {

std::vector<task<std::string>> some_work(int count) {
  std::vector<task<std::string>> tasks;
  for (int i = 0; i < count; ++i) tasks.push_back(work(std::to_string(i), 1s));
  return tasks;
}

}  // namespace

task<> limit_how_many_run() {
  const auto results = co_await magpie::limit_concurrency(10, some_work(30));
  say(std::to_string(results.size()) + " results");
}

task<> limit_how_many_start() {
  const auto results = co_await magpie::limit_rate(magpie::rate{10, 1s}, some_work(21));
  say(std::to_string(results.size()) + " results");
}

task<> run_in_batches() {
  const auto process = [](int i) { return work(std::to_string(i), 1s); };
  const auto results =
      co_await magpie::batch(std::views::iota(0, 30), {.size = 10, .pause = 100ms}, process);
  say(std::to_string(results.size()) + " results");
}

}  // namespace tour
