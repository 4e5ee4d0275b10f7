#include <gtest/gtest.h>

#include <cstddef>
#include <magpie/gather.hpp>
#include <magpie/runtime.hpp>
#include <string>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

// What a task waits for whose children wait.

namespace {

using magpie::test::eventually;
using magpie::test::sleep_and_give;

class gather_waits : public magpie::test::cancelling {
 protected:
  [[nodiscard]] static bool comes_to_begin_with(const magpie::any_task_handle& task,
                                                const std::string& beginning) {
    return eventually([&] { return task.waiting_for().rfind(beginning, 0) == 0; });
  }
};
MAGPIE_FOR_EACH_RUNTIME(gather_waits);

TEST_P(gather_waits, are_those_of_all_children) {
  const auto other = runtime.spawn(sleep_and_give(1), {.name = "other"});
  const auto wait = [](magpie::task_handle<int> handle) -> magpie::task<int> {
    co_return co_await handle;
  };
  const auto both = [&]() -> magpie::task<> {
    co_await magpie::gather(sleep_and_give(1), wait(other));
  };
  const auto parent = runtime.spawn(both());
  EXPECT_TRUE(comes_to_begin_with(parent, "2 of these: "));
  const std::string words = parent.waiting_for();
  EXPECT_NE(words.find("sleep, "), std::string::npos) << words;
  EXPECT_NE(words.find("task \"other\""), std::string::npos) << words;
}

TEST_P(gather_waits, are_not_all_told_when_there_are_many) {
  const auto parents = [](std::size_t count) -> magpie::task<> {
    std::vector<magpie::task<int>> children;
    for (std::size_t i = 0; i < count; ++i) children.push_back(sleep_and_give(1));
    co_await magpie::gather(std::move(children));
  };
  const auto eight = runtime.spawn(parents(8));
  const auto many = runtime.spawn(parents(1000));
  EXPECT_TRUE(comes_to_begin_with(eight, "8 of these: sleep, "));
  EXPECT_TRUE(comes_to_begin_with(many, "more than 8 of these: sleep, "));
}

}  // namespace
