#include <chrono>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tour.hpp"

namespace tour {

task<> gather_three() {
  const auto [a, b, c] = co_await magpie::gather(work("a", 3s), work("b", 1s), work("c", 2s));
  say(a);
  say(b);
  say(c);
}

task<> gather_with_a_failure() {
  const auto a = magpie::spawn(work("a", 2s));
  const auto b = magpie::spawn(fail("b", 1s));
  const auto c = magpie::spawn(work("c", 3s));
  try {
    co_await magpie::gather(a, b, c);
  } catch (const std::runtime_error& error) {
    say(error.what());
  }
  say(co_await a);
  say(co_await c);
}

task<> gather_outcomes() {
  const auto [a, b] =
      co_await magpie::gather(magpie::return_exceptions, work("a", 2s), fail("b", 1s));
  for (const auto& each : {a, b}) {
    std::ostringstream words;
    words << (each ? "value: " : "") << each;
    say(words.str());
  }
}

task<> gather_ten() {
  std::vector<task<std::string>> tasks;
  for (int i = 0; i < 10; ++i) {
    tasks.push_back(work(std::to_string(i), std::chrono::seconds(i % 3 + 1)));
  }
  const auto results = co_await magpie::gather(std::move(tasks));
  say(std::to_string(results.size()) + " results, from '" + results.front() + "' to '" +
      results.back() + "'");
}

}  // namespace tour
