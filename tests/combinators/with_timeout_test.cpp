#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <magpie/checkpoint.hpp>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/outcome_text.hpp"
#include "support/tasks.hpp"
#include "support/timing_out.hpp"
#include "support/worker_counts.hpp"

// Nobody waits for the long sleeps.

namespace {

using namespace std::chrono_literals;
using magpie::timeout_scope;
using magpie::test::clean_up_slowly;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::limited;
using magpie::test::outcome;
using magpie::test::published_scope;
using magpie::test::sleep_long;

class with_timeout : public magpie::test::timing_out {};
MAGPIE_FOR_EACH_RUNTIME(with_timeout);

class with_timeout_by_the_clock : public with_timeout {};
MAGPIE_FOR_EACH_WORKER_COUNT(with_timeout_by_the_clock);

TEST_P(with_timeout, gives_what_the_body_gives) {
  int place = 1;
  const auto refer = [&place](timeout_scope&) -> magpie::task<int&> { co_return place; };
  const auto own = [](timeout_scope&) -> magpie::task<std::unique_ptr<int>> {
    co_await magpie::yield();
    co_return std::make_unique<int>(7);
  };
  const auto nothing = [](timeout_scope&) -> magpie::task<> { co_return; };
  const auto run = [&]() -> magpie::task<> {
    int& referred = co_await magpie::with_timeout(1h, refer);
    EXPECT_EQ(&referred, &place);
    const auto owned = co_await magpie::with_timeout(magpie::no_limit, own);
    EXPECT_EQ(*owned, 7);
    co_await magpie::with_timeout(1h, nothing);
  };
  runtime.block_on(run());
}

TEST_P(with_timeout, takes_a_body_that_can_only_be_moved) {
  const auto run = []() -> magpie::task<int> {
    auto body = [kept = std::make_unique<int>(8)](timeout_scope&) -> magpie::task<int> {
      co_await magpie::yield();
      co_return *kept;
    };
    co_return co_await magpie::with_timeout(1h, std::move(body));
  };
  EXPECT_EQ(runtime.block_on(run()), 8);
}

TEST_P(with_timeout, is_over_at_the_deadline_and_not_before) {
  std::atomic<bool> cleaned_up{false};
  magpie::time_point deadline;
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    deadline = scope.deadline().value_or(magpie::time_point::max());
    EXPECT_TRUE(!scope.expired() || magpie::now() >= deadline);
    if (is_virtual()) {
      EXPECT_FALSE(scope.expired());
    }
    co_await clean_up_slowly(cleaned_up);
  };
  EXPECT_EQ(outcome_of(limited(1ms, body)), "timeout");
  EXPECT_GE(runtime.now(), deadline);
  EXPECT_TRUE(cleaned_up);
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(with_timeout, passes_on_what_the_making_of_the_body_throws) {
  const auto broken = [](timeout_scope&) -> magpie::task<> { throw std::runtime_error("broken"); };
  const auto empty = [](timeout_scope&) -> magpie::task<int> {
    auto moved_from = give(1);
    const auto taken = std::move(moved_from);
    return moved_from;
  };
  const auto run = [&]() -> magpie::task<> {
    const auto first = co_await outcome(limited(1h, broken));
    EXPECT_EQ(first, "broken");
    const auto second = co_await outcome(limited(1h, empty));
    EXPECT_NE(second, "result");
    EXPECT_FALSE(magpie::current_deadline().has_value());
  };
  runtime.block_on(run());
}

TEST(with_timeout_misuse, outside_of_a_task_is_an_error) {
  const auto body = [](timeout_scope&) -> magpie::task<> { co_return; };
  auto unstarted = magpie::with_timeout(1h, body);
  EXPECT_THROW(static_cast<void>(unstarted.await_ready()), magpie::invalid_state);
}

// Rule 53: a deadline that has passed is told at the first suspension; without one, never.

TEST_P(with_timeout, without_time_is_told_at_the_first_suspension) {
  std::atomic<bool> begun{false};
  std::atomic<bool> went_on{false};
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    begun = true;
    EXPECT_FALSE(scope.expired());
    co_await sleep_long();
    went_on = true;
  };
  EXPECT_EQ(outcome_of(limited(0s, body)), "timeout");
  EXPECT_TRUE(begun);
  EXPECT_EQ(outcome_of(limited(-1h, body)), "timeout");
  EXPECT_FALSE(went_on);
}

TEST_P(with_timeout, without_time_lets_a_body_pass_that_does_not_suspend) {
  const auto body = [](timeout_scope&) -> magpie::task<int> {
    co_return co_await magpie::test::give(3);
  };
  const auto run = [&]() -> magpie::task<> {
    for (int i = 0; i < 10; ++i) {
      const int given = co_await magpie::with_timeout(0s, body);
      EXPECT_EQ(given, 3);
      co_await magpie::yield();
      co_await magpie::checkpoint();
      EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    }
  };
  runtime.block_on(run());
}

TEST_P(with_timeout_by_the_clock,
       that_is_over_during_a_computation_is_told_at_its_next_suspension) {
  const auto body = [](timeout_scope& scope) -> magpie::task<> {
    EXPECT_TRUE(eventually([&] { return scope.expired(); }));
    EXPECT_GE(magpie::now(), *scope.deadline());
    co_await magpie::yield();
    ADD_FAILURE() << "it was not told";
  };
  EXPECT_EQ(outcome_of(limited(1ms, body)), "timeout");
}

// Rule 99: the deadline of no time at all is the moment at which the scope begins.

TEST_P(with_timeout, without_time_has_its_deadline_at_the_beginning) {
  const auto body = [](timeout_scope& scope) -> magpie::task<> {
    const auto late = magpie::now() - scope.deadline().value();
    EXPECT_GE(late, 0s);
    EXPECT_LT(late, 1h);
    EXPECT_EQ(magpie::current_deadline(), scope.deadline());
    co_return;
  };
  EXPECT_EQ(outcome_of(limited(0s, body)), "result");
  EXPECT_EQ(outcome_of(limited(-1h, body)), "result");
}

// Rule 55: the earliest of all deadlines around the caller.

TEST_P(with_timeout, tells_the_deadline_in_effect) {
  const auto run = []() -> magpie::task<> {
    EXPECT_EQ(magpie::current_deadline(), std::nullopt);
    std::optional<magpie::time_point> of_outer;
    const auto inner_body = [&](timeout_scope& inner) -> magpie::task<> {
      EXPECT_GT(*inner.deadline(), *of_outer);
      EXPECT_EQ(magpie::current_deadline(), of_outer);
      co_await magpie::yield();
      EXPECT_EQ(magpie::current_deadline(), of_outer);
      inner.reschedule(1h);
      EXPECT_EQ(magpie::current_deadline(), inner.deadline());
      const auto ask = []() -> magpie::task<std::optional<magpie::time_point>> {
        co_await magpie::yield();
        co_return magpie::current_deadline();
      };
      const auto asked = co_await ask();
      EXPECT_EQ(asked, inner.deadline());
      // What is spawned is a task of its own.
      const auto of_spawned = co_await magpie::spawn(ask());
      EXPECT_EQ(of_spawned, std::nullopt);
    };
    const auto outer_body = [&](timeout_scope& outer) -> magpie::task<> {
      of_outer = outer.deadline();
      EXPECT_EQ(magpie::current_deadline(), of_outer);
      co_await magpie::with_timeout(3h, inner_body);
      EXPECT_EQ(magpie::current_deadline(), of_outer);
      outer.reschedule(magpie::no_limit);
      EXPECT_EQ(magpie::current_deadline(), std::nullopt);
    };
    co_await magpie::with_timeout(2h, outer_body);
    EXPECT_EQ(magpie::current_deadline(), std::nullopt);
  };
  runtime.block_on(run());
}

// What runs within: tasks whose handles are awaited.

TEST_P(with_timeout, passes_its_end_on_to_an_awaited_task) {
  std::atomic<bool> cleaned_up{false};
  const auto target = runtime.spawn(clean_up_slowly(cleaned_up), {.name = "target"});
  published_scope published;
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    published.publish(scope);
    co_await target;
  };
  const auto waiting = runtime.spawn(outcome(limited(1000h, body)));
  // An end that comes before the await does not concern the target.
  ASSERT_TRUE(eventually(
      [&] { return waiting.waiting_for().rfind("task \"target\"; timeout in ", 0) == 0; }));
  EXPECT_TRUE(published.wait().reschedule(1ms));
  ASSERT_TRUE(eventually([&] { return waiting.done(); }));
  EXPECT_EQ(waiting.result(), "timeout");
  EXPECT_TRUE(target.done());
}

TEST(with_timeout_and_the_runtime, ends_with_it_but_not_by_a_timeout) {
  magpie::task_handle<std::string> sleeper;
  std::atomic<bool> begun{false};
  bool expired = true;
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    begun = true;
    std::exception_ptr stopped;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      stopped = std::current_exception();
    }
    expired = scope.expired();
    std::rethrow_exception(std::move(stopped));
  };
  {
    magpie::runtime runtime{{.workers = 2}};
    const auto run = [&]() -> magpie::task<std::string> {
      co_return co_await outcome(limited(2000h, body));
    };
    sleeper = runtime.spawn(run());
    EXPECT_TRUE(eventually([&] { return begun.load(); }));
  }
  EXPECT_FALSE(expired);
  EXPECT_TRUE(sleeper.cancelled() || sleeper.result().substr(0, 9) == "cancelled");
}

}  // namespace
