#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <magpie/errors.hpp>
#include <magpie/gather.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/outcome_text.hpp"
#include "support/tasks.hpp"
#include "support/timing_out.hpp"

// Timeouts around the children of a gather, and within them. Nobody waits for the long sleeps.

namespace {

using namespace std::chrono_literals;
using magpie::timeout_scope;
using magpie::test::counted;
using magpie::test::limited;
using magpie::test::outcome;
using magpie::test::sleep_long;

class gather_timeout : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_RUNTIME(gather_timeout);

// Rule 55: the deadline in effect is that of the children, too.
TEST_P(gather_timeout, tells_its_deadline_to_all_children) {
  const auto ask = []() -> magpie::task<bool> {
    co_await magpie::yield();
    co_return magpie::current_deadline().has_value();
  };
  const auto body = [&](timeout_scope&) -> magpie::task<> {
    const auto all = co_await magpie::gather(ask(), ask());
    EXPECT_TRUE(std::get<0>(all) && std::get<1>(all));
  };
  runtime.block_on(limited(1h, body));
}

TEST_P(gather_timeout, around_a_gather_ends_all_children) {
  std::atomic<int> told{0};
  const auto child = [&told]() -> magpie::task<> {
    const counted local;
    std::exception_ptr stopped;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      stopped = std::current_exception();
      ++told;
    }
    co_await magpie::sleep_for(1us);  // of what it has been told it is not told again
    std::rethrow_exception(std::move(stopped));
  };
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    std::vector<magpie::task<>> children;
    for (int i = 0; i < 100; ++i) children.push_back(child());
    scope.reschedule(1ms);
    co_await magpie::gather(std::move(children));
  };
  const auto run = [&]() -> magpie::task<> {
    const auto ended = co_await outcome(limited(1000h, body));
    EXPECT_EQ(ended, "timeout");
    co_await magpie::yield();
  };
  runtime.block_on(run());
  EXPECT_LE(told, 100);
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(gather_timeout, in_a_child_ends_that_child_alone) {
  std::atomic<bool> over{false};
  const auto body = [](timeout_scope&) -> magpie::task<> { co_await sleep_long(); };
  const auto limited_child = [&]() -> magpie::task<std::string> {
    const auto ended = co_await outcome(limited(1ms, body));
    co_await magpie::yield();
    over = true;
    co_return ended;
  };
  const auto sibling = [&]() -> magpie::task<int> {
    while (!over) co_await magpie::sleep_for(10us);
    co_return 4;
  };
  const auto run = [&]() -> magpie::task<> {
    const auto [first, second, third] =
        co_await magpie::gather(limited_child(), sibling(), limited_child());
    EXPECT_EQ(first, "timeout");
    EXPECT_EQ(second, 4);
    EXPECT_EQ(third, "timeout");
  };
  runtime.block_on(run());
}

}  // namespace
