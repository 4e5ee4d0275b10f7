#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <magpie/checkpoint.hpp>
#include <magpie/errors.hpp>
#include <magpie/gather.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <string>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/outcome_text.hpp"
#include "support/tasks.hpp"
#include "support/timing_out.hpp"

// Rules 91 and 92: each request reaches every branch of its scope once, whatever that branch has
// been told before; and what cleans up may wait and set limits as usual. Nobody waits for the long
// sleeps.

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::timeout_scope;
using magpie::test::ends;
using magpie::test::limited;
using magpie::test::outcome;
using magpie::test::outcome_within;
using magpie::test::sleep_long;
using magpie::test::swallow;

class delivery_of_requests : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(delivery_of_requests);

task<> sleep(magpie::duration time) { co_await magpie::sleep_for(time); }

TEST_P(delivery_of_requests, lets_a_child_limit_its_clean_up) {
  std::string clean_up;
  const auto child = [&]() -> task<> {
    co_await swallow();
    clean_up = co_await outcome_within(swallow(), 10ms) + ", then ";
    clean_up += co_await outcome_within(sleep_long(), 10ms);
  };
  const auto run = [&]() -> task<> { co_await magpie::gather(child()); };
  const auto parent = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(parent.cancel());
  ASSERT_TRUE(ends(parent));
  // The first one swallows the end of its time.
  EXPECT_EQ(clean_up, "result, then timeout");
  EXPECT_TRUE(parent.cancelled());
}

TEST_P(delivery_of_requests, tells_children_of_a_timeout_after_a_request_that_they_swallowed) {
  std::string sleeper;
  std::string computer;
  std::atomic<bool> has_sleeper_swallowed{false};
  timeout_scope* limit = nullptr;
  const auto sleep_again = [&]() -> task<> {
    co_await swallow();
    has_sleeper_swallowed = true;
    sleeper = co_await outcome(sleep_long());
  };
  const auto compute = [&]() -> task<> {
    co_await swallow();
    while (!has_sleeper_swallowed) co_await magpie::yield();
    limit->reschedule(magpie::now() + 1ms);
    const auto loop = []() -> task<> {
      // It lets time pass where nothing else does.
      for (;;) {
        co_await magpie::sleep_for(1us);
        co_await magpie::checkpoint();
      }
    };
    computer = co_await outcome(loop());
  };
  const auto body = [&](timeout_scope& scope) -> task<> {
    limit = &scope;
    co_await magpie::gather(sleep_again(), compute());
  };
  const auto parent = runtime.spawn(outcome(limited(1000h, body)));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(parent.cancel());
  ASSERT_TRUE(ends(parent));
  EXPECT_EQ(sleeper, "cancelled");
  EXPECT_EQ(computer, "cancelled");
  EXPECT_EQ(parent.result(), "cancelled");
}

TEST_P(delivery_of_requests, delivers_one_request_once_to_a_chain_of_awaits) {
  std::string told;
  const auto innermost = [&]() -> task<> {
    told += co_await outcome(sleep_long());
    told += ", " + co_await outcome(sleep(1us));
  };
  const auto middle = [&]() -> task<> {
    co_await innermost();
    told += ", " + co_await outcome(sleep(1us));
    co_await magpie::checkpoint();
    co_await magpie::gather(sleep(1us), sleep(1us));
  };
  const auto outermost = [&]() -> task<> {
    co_await middle();
    told += ", " + co_await outcome(sleep(1us));
  };
  const auto handle = runtime.spawn(outermost());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(told, "cancelled, result, result, result");
  EXPECT_FALSE(handle.cancelled());
}

TEST_P(delivery_of_requests, leaves_a_timeout_its_error_if_the_request_came_before) {
  const auto body = [](timeout_scope&) -> task<> {
    co_await swallow();
    co_await magpie::sleep_for(1000h);
  };
  const auto cancel_and_wait = [&]() -> task<std::string> {
    magpie::current_task().cancel();
    co_return co_await outcome(limited(5ms, body));
  };
  EXPECT_EQ(runtime.block_on(cancel_and_wait()), "timeout");
}

TEST_P(delivery_of_requests, delivers_afterwards_what_comes_while_a_timeout_ends_its_body) {
  const auto body = [](timeout_scope&) -> task<> {
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      magpie::current_task().cancel("afterwards");
      throw;
    }
  };
  const auto wait = [&]() -> task<std::string> {
    std::string all = co_await outcome(limited(7ms, body));
    all += ", then " + co_await outcome(sleep(1us));
    all += ", then " + co_await outcome(sleep(1us));
    co_return all;
  };
  EXPECT_EQ(runtime.block_on(wait()), "cancelled, then cancelled: afterwards, then result");
}

}  // namespace
