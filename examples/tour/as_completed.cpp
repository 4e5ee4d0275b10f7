#include <vector>

#include "tour.hpp"

namespace tour {

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

}  // namespace tour
