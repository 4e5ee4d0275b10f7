#include <exception>
#include <stdexcept>
#include <vector>

#include "tour.hpp"

namespace tour {

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
