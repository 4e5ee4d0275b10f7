#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
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

namespace {

std::vector<magpie::task_handle<std::string>> spawn_five() {
  std::vector<magpie::task_handle<std::string>> tasks;
  for (int i = 0; i < 5; ++i) {
    tasks.push_back(magpie::spawn(work("T" + std::to_string(i), (5 - i) * 1s - 100ms)));
  }
  return tasks;
}

}  // namespace

task<> take_them_as_completed() {
  auto finished = magpie::as_completed(spawn_five());
  while (const auto next = co_await finished.next()) say(next->result());
}

task<> take_them_as_completed_in_time() {
  auto finished = magpie::as_completed(spawn_five(), 3s);
  try {
    while (const auto next = co_await finished.next()) say(next->result());
  } catch (const magpie::timeout_error&) {
    say("time is over");
  }
}

task<> group_three() {
  std::vector<magpie::task_handle<std::string>> children;
  const auto spawn_children = [&](magpie::task_group& group) -> task<> {
    for (const char* name : {"a", "b", "c"}) children.push_back(group.spawn(work(name, 1s)));
    co_return;
  };
  co_await magpie::with_task_group(spawn_children);
  for (const auto& each : children) say(each.result());
}

namespace {

task<std::string> fail_to_clean_up(std::string name) {
  try {
    co_await magpie::sleep_for(10s);
  } catch (const magpie::cancelled&) {
    throw std::runtime_error(name + " could not clean up");
  }
  co_return name;
}

}  // namespace

task<> group_with_a_failure() {
  const auto spawn_children = [](magpie::task_group& group) -> task<> {
    group.spawn(work("a", 3s));
    group.spawn(fail("b", 1s));
    group.spawn(fail_to_clean_up("c"));
    co_return;
  };
  try {
    co_await magpie::with_task_group(spawn_children);
  } catch (const magpie::exception_group& errors) {
    errors.for_each_leaf([](const std::exception_ptr& each) {
      try {
        std::rethrow_exception(each);
      } catch (const std::runtime_error& error) {
        say(error.what());
      }
    });
  }
}

}  // namespace tour
