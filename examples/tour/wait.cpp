#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "tour.hpp"

namespace tour {

task<> wait_for_all() {
  const std::vector tasks{magpie::spawn(work("a", 1s)), magpie::spawn(work("b", 2s))};
  co_await magpie::wait(tasks, magpie::until::all_completed);
  for (const auto& each : tasks) say(each.result());
}

task<> wait_in_three_ways() {
  const std::array ways{std::pair("first completed", magpie::until::first_completed),
                        std::pair("first exception", magpie::until::first_exception),
                        std::pair("all completed", magpie::until::all_completed)};
  for (const auto& [name, way] : ways) {
    const std::vector tasks{magpie::spawn(work("a", 1s)), magpie::spawn(fail("b", 2s)),
                            magpie::spawn(work("c", 3s))};
    const auto [done, pending] = co_await magpie::wait(tasks, way);
    say(std::string(name) + ": " + std::to_string(done.size()) + " done, " +
        std::to_string(pending.size()) + " pending");
    co_await magpie::gather(magpie::return_exceptions, tasks);
  }
}

task<> wait_with_a_limit() {
  std::vector<magpie::task_handle<std::string>> tasks;
  for (int i = 1; i <= 5; ++i) {
    // A little less than 2 s: what ends just when the limit does may be on either side.
    tasks.push_back(magpie::spawn(work(std::to_string(i), i * 1s - 100ms)));
  }
  const auto [done, pending] = co_await magpie::wait(tasks, magpie::until::all_completed, 2s);
  say(std::to_string(done.size()) + " done, " + std::to_string(pending.size()) + " pending");
  for (const auto& each : pending) each.cancel();
  co_await magpie::wait(pending, magpie::until::all_completed);
  const auto cancelled = std::ranges::count_if(tasks, [](auto& each) { return each.cancelled(); });
  say(std::to_string(cancelled) + " cancelled");
}

}  // namespace tour
