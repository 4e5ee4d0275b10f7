#include <array>
#include <ranges>
#include <utility>
#include <vector>

#include "tour.hpp"

namespace tour {

task<> limit_a_task() {
  try {
    say(co_await magpie::wait_for(work("slow", 10s), 2s));
  } catch (const magpie::timeout_error&) {
    say("no result in time");
  }
}

task<> limit_a_spawned_task() {
  const auto slow = magpie::spawn(work("slow", 10s));
  try {
    co_await magpie::wait_for(slow, 1s);
  } catch (const magpie::timeout_error&) {
    say(std::string("timeout; the task ") + (slow.cancelled() ? "was cancelled" : "goes on"));
  }
}

task<> race_two_servers() { say(co_await magpie::race(serve("near", 1s), serve("far", 2s))); }

task<> retry_three_times() {
  int attempt = 0;
  const auto try_once = [&] {
    say("attempt " + std::to_string(++attempt));
    return work("slow", 10s);
  };
  const magpie::retry_options options{
      .attempts = 3, .timeout = 2s, .backoff = magpie::constant(1s)};
  try {
    say(co_await magpie::retry(options, try_once));
  } catch (const magpie::timeout_error&) {
    say("giving up");
  }
}

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

namespace {

task<std::string> run_chain(std::string name) {
  for (const char* step : std::array{"fetched", "parsed", "stored"}) {
    co_await magpie::sleep_for(1s);
    name += std::string(", ") + step;
  }
  co_return name;
}

}  // namespace

task<> run_chains() {
  say(co_await run_chain("alone"));
  const auto [a, b, c] = co_await magpie::gather(run_chain("a"), run_chain("b"), run_chain("c"));
  say(a);
  say(b);
  say(c);
}

task<> branch_on_the_first() {
  const auto cache = magpie::spawn(serve("cache", 1s));
  const auto disk = magpie::spawn(serve("disk", 2s));
  const std::vector both{cache, disk};
  const auto [done, pending] = co_await magpie::wait(both, magpie::until::first_completed);
  for (const auto& loser : pending) loser.cancel();
  co_await magpie::wait(pending, magpie::until::all_completed);
  say(cache == done.front() ? "taking the short way" : "taking the long way");
}

}  // namespace tour
