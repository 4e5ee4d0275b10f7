#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <magpie/errors.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/runtime.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <string>
#include <utility>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/outcome_text.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::outcome;
using magpie::test::outcome_within;

class wait_for : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_RUNTIME(wait_for);

// Rule 43: the awaited task runs in the caller's.

TEST_P(wait_for, runs_a_lazy_task_within_the_caller) {
  const auto name_itself = []() -> magpie::task<magpie::any_task_handle> {
    co_await magpie::yield();
    co_return magpie::current_task();
  };
  const auto compare = [&]() -> magpie::task<bool> {
    const auto unlimited = co_await magpie::wait_for(name_itself(), magpie::no_limit);
    const auto limited = co_await magpie::wait_for(name_itself(), 1h);
    co_return unlimited == magpie::current_task() && limited == magpie::current_task();
  };
  EXPECT_TRUE(runtime.block_on(compare()));
}

TEST_P(wait_for, gives_results_of_every_kind) {
  int place = 1;
  const auto refer = [&place]() -> magpie::task<int&> { co_return place; };
  const auto own = []() -> magpie::task<std::unique_ptr<int>> {
    co_return std::make_unique<int>(7);
  };
  const auto nothing = []() -> magpie::task<> { co_return; };
  const auto wait = [&]() -> magpie::task<> {
    int& referred = co_await magpie::wait_for(refer(), 1h);
    EXPECT_EQ(&referred, &place);
    const auto owned = co_await magpie::wait_for(own(), 1h);
    EXPECT_EQ(*owned, 7);
    co_await magpie::wait_for(nothing(), 1h);

    int& from_handle = co_await magpie::wait_for(magpie::spawn(refer()), 1h);
    EXPECT_EQ(&from_handle, &place);
    const auto last = co_await magpie::wait_for(magpie::spawn(own()), 1h);
    EXPECT_EQ(*last, 7);
    co_await magpie::wait_for(magpie::spawn(nothing()), 1h);
    const auto shared = magpie::spawn(give(3));
    const int copy = co_await magpie::wait_for(shared, 1h);
    EXPECT_EQ(copy, 3);
    EXPECT_EQ(shared.result(), 3);
  };
  runtime.block_on(wait());
}

TEST_P(wait_for, passes_errors_on) {
  EXPECT_EQ(runtime.block_on(outcome_within(fail("broken"), 1h)), "broken");
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(runtime.spawn(fail("broken")), 1h))),
            "broken");
}

// Rule 7 within a timeout.
TEST_P(wait_for, for_oneself_is_an_error) {
  magpie::task_handle<std::string> self;
  std::atomic<bool> is_set{false};
  const auto wait = [&]() -> magpie::task<std::string> {
    while (!is_set) co_await magpie::yield();
    const auto wait_for_self = [&]() -> magpie::task<> { co_await magpie::wait_for(self, 1h); };
    try {
      co_await wait_for_self();
    } catch (const magpie::invalid_state&) {
      co_return "refused";
    }
    co_return "";
  };
  self = runtime.spawn(wait());
  is_set = true;
  ASSERT_TRUE(ends(self));
  EXPECT_EQ(self.result(), "refused");
}

TEST(wait_for_misuse, outside_of_a_task_is_an_error) {
  auto limited = magpie::wait_for(give(1), 1h);
  EXPECT_THROW(static_cast<void>(limited.await_ready()), magpie::invalid_state);
  EXPECT_THROW(static_cast<void>(magpie::current_deadline()), magpie::invalid_state);
}

TEST_P(wait_for, an_empty_task_is_an_error) {
  const auto wait = []() -> magpie::task<bool> {
    auto moved_from = give(1);
    const auto taken = std::move(moved_from);
    try {
      co_await magpie::wait_for(std::move(moved_from), 1h);
    } catch (const magpie::invalid_state&) {
      co_return !magpie::current_deadline().has_value();
    }
    co_return false;
  };
  EXPECT_TRUE(runtime.block_on(wait()));
}

TEST_P(wait_for, never_awaited_destroys_the_task) {
  const auto hold = [](counted argument) -> magpie::task<int> { co_return argument.value; };
  {
    const auto limited = magpie::wait_for(hold(counted(1)), 1h);
  }
  EXPECT_EQ(counted::alive(), 0);
}

// Rule 48: the timer of what ends in time is gone at once, and with it all memory.
TEST_P(wait_for, leaves_nothing_behind) {
  const auto before = magpie::frame_statistics().live;
  {
    magpie::runtime own{settings()};
    const auto wait = []() -> magpie::task<int> {
      int sum = 0;
      for (int i = 0; i < 10'000; ++i) {
        const int one = co_await magpie::wait_for(give_after_yields(1, i % 2), 1000h);
        sum += one;
      }
      for (int i = 0; i < 1'000; ++i) {
        const int one = co_await magpie::wait_for(magpie::spawn(give(1)), 1000h);
        sum += one;
      }
      co_return sum;
    };
    EXPECT_EQ(own.block_on(wait()), 11'000);
  }
  EXPECT_EQ(magpie::frame_statistics().live, before);
}

}  // namespace
