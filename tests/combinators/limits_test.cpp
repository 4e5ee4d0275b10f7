#include <gtest/gtest.h>

#include <chrono>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <optional>

#include "support/outcome_text.hpp"
#include "support/tasks.hpp"
#include "support/timing_out.hpp"

// In virtual time, which stands still while anything can run.

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::timeout_scope;
using magpie::test::limited;
using magpie::test::outcome;
using magpie::test::sleep_long;

class limits : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};

  template <class Body>
  void run(Body body) {
    runtime.block_on(body());
  }
};

// Rule 99.

TEST_F(limits, begin_with_the_await) {
  const auto give_after_30 = []() -> task<int> {
    co_await magpie::sleep_for(30ms);
    co_return 1;
  };
  const auto body = [&](timeout_scope&) { return give_after_30(); };
  run([&]() -> task<> {
    const auto handle = magpie::spawn(magpie::test::give_after(65ms, 1));
    auto of_handle = magpie::wait_for(handle, 31ms);
    auto of_task = magpie::wait_for(give_after_30(), 31ms);
    auto of_body = magpie::with_timeout(31ms, body);
    auto delay = magpie::sleep_for(31ms);
    co_await magpie::sleep_for(35ms);
    EXPECT_EQ(co_await std::move(of_handle), 1);
    EXPECT_EQ(co_await of_task, 1);
    EXPECT_EQ(co_await of_body, 1);
    const auto before = magpie::now();
    co_await delay;
    EXPECT_GE(magpie::now() - before, 31ms);
  });
}

TEST_F(limits, of_no_time_have_the_moment_of_the_await_as_their_deadline) {
  std::optional<magpie::time_point> deadline;
  const auto body = [&](timeout_scope& scope) -> task<> {
    deadline = scope.deadline();
    co_return;
  };
  run([&]() -> task<> {
    auto limited = magpie::with_timeout(-5s, body);
    co_await magpie::sleep_for(35ms);
    const auto before = magpie::now();
    co_await limited;
    EXPECT_EQ(deadline, before);
  });
}

// Rules 50, 53: a deadline that has passed takes effect where the body first suspends.

TEST_F(limits, of_no_time_let_a_body_end_that_does_not_suspend) {
  const auto without_suspension = [](timeout_scope& scope) -> task<> {
    EXPECT_FALSE(scope.expired());
    throw magpie::cancelled("uninvited");
    co_return;
  };
  const auto suspending = [](timeout_scope& scope) -> task<> {
    EXPECT_FALSE(scope.expired());
    EXPECT_THROW(co_await magpie::yield(), magpie::cancelled);
    EXPECT_TRUE(scope.expired());
    throw magpie::cancelled("because of that");
  };
  run([&]() -> task<> {
    EXPECT_EQ(co_await outcome(limited(0s, without_suspension)), "cancelled: uninvited");
    EXPECT_EQ(co_await outcome(limited(0s, suspending)), "timeout");
  });
}

TEST_F(limits, of_no_time_say_of_what_is_done_how_it_ended) {
  run([&]() -> task<> {
    const auto stopped = magpie::spawn(sleep_long());
    stopped.cancel("before");
    co_await magpie::sleep_for(1ms);
    const auto await_stopped = [&](timeout_scope&) -> task<> { co_await stopped; };
    EXPECT_EQ(co_await outcome(limited(0s, await_stopped)), "cancelled: before");
  });
}

TEST_F(limits, that_are_moved_to_the_past_let_a_body_end_that_does_not_suspend) {
  const auto body = [](timeout_scope& scope) -> task<> {
    EXPECT_TRUE(scope.reschedule(magpie::now() - 1s));
    EXPECT_FALSE(scope.expired());
    throw magpie::cancelled("uninvited");
    co_return;
  };
  const auto suspending = [](timeout_scope& scope) -> task<> {
    EXPECT_TRUE(scope.reschedule(0s));
    EXPECT_FALSE(scope.reschedule(1h)) << "it is just expiring";
    co_await magpie::sleep_for(1h);
  };
  run([&]() -> task<> {
    EXPECT_EQ(co_await outcome(limited(1h, body)), "cancelled: uninvited");
    EXPECT_EQ(co_await outcome(limited(1h, suspending)), "timeout");
  });
}

TEST_F(limits, of_no_time_can_be_moved_before_the_body_suspends) {
  const auto body = [](timeout_scope& scope) -> task<> {
    EXPECT_TRUE(scope.reschedule(1h));
    co_await magpie::sleep_for(59min);
  };
  run([&]() -> task<> { EXPECT_EQ(co_await outcome(limited(0s, body)), "result"); });
}

}  // namespace
