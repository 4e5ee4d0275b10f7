#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <string>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/outcome_text.hpp"
#include "support/slow_target.hpp"
#include "support/tasks.hpp"

// Somebody cancels who waits, or the target. Nobody waits for the long sleeps: they are cancelled.

namespace {

using namespace std::chrono_literals;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::outcome;
using magpie::test::outcome_within;
using magpie::test::sleep_and_give;
using magpie::test::slow_target;
using magpie::test::stop;

/// Cleans up until it is asked a second time.
struct stubborn_target {
  magpie::task<int> run() {
    bool told = false;
    begun = true;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      told = true;
    }
    is_cleaning_up = told;
    co_await magpie::sleep_for(1000h);
    co_return 0;
  }

  std::atomic<bool> begun{false};
  std::atomic<bool> is_cleaning_up{false};
};

class cancellable_wait_for : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(cancellable_wait_for);

// Rule 50: only what it did itself is a timeout.
TEST_P(cancellable_wait_for, passes_on_a_cancellation_that_is_not_its_own) {
  EXPECT_EQ(runtime.block_on(outcome_within(stop("by itself"), 1h)), "cancelled: by itself");
  const auto stopped = runtime.spawn(stop("by itself"));
  ASSERT_TRUE(ends(stopped));
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(stopped, 1h))), "cancelled: by itself");
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(stopped, 0s))), "cancelled: by itself");

  const auto target = runtime.spawn(sleep_and_give(1));
  const auto waiting = runtime.spawn(outcome(magpie::wait_for(target, 1h)));
  target.cancel("from elsewhere");
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result(), "cancelled: from elsewhere");
  EXPECT_EQ(waiting.cancelling(), 0U);
}

// Rule 47: a cancellation from outside reaches the target, which is awaited.

TEST_P(cancellable_wait_for, passes_a_cancellation_on_to_a_lazy_task) {
  slow_target target;
  const auto waiting = runtime.spawn(outcome_within(target.run(), 1h));
  ASSERT_TRUE(eventually([&] { return target.begun == 1; }));
  EXPECT_TRUE(waiting.cancel("enough"));
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result(), "cancelled: enough");
  EXPECT_TRUE(target.ended);
}

TEST_P(cancellable_wait_for, passes_a_cancellation_on_to_a_spawned_task) {
  slow_target target;
  const auto handle = runtime.spawn(target.run());
  const auto waiting = runtime.spawn(outcome(magpie::wait_for(handle, 1000h)));
  // Both are suspended: a request that comes before the wait does not concern the target.
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(waiting.cancel("enough"));
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result().substr(0, 9), "cancelled");
  EXPECT_TRUE(target.ended);
  EXPECT_TRUE(handle.cancelled());
}

// Rules 47 and 50: the limit has passed, and then somebody cancels the caller as well.

TEST_P(cancellable_wait_for, of_a_lazy_task_is_cancelled_by_a_request_after_the_limit) {
  stubborn_target target;
  const auto waiting = runtime.spawn(outcome_within(target.run(), 1ms));
  ASSERT_TRUE(eventually([&] { return target.is_cleaning_up.load(); }));
  EXPECT_TRUE(waiting.cancel("enough"));
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result().substr(0, 9), "cancelled");
  EXPECT_EQ(waiting.cancelling(), 1U);
}

TEST_P(cancellable_wait_for, of_a_spawned_task_is_cancelled_by_a_request_after_the_limit) {
  stubborn_target target;
  const auto handle = runtime.spawn(target.run());
  ASSERT_TRUE(eventually([&] { return target.begun.load(); }));
  const auto waiting = runtime.spawn(outcome(magpie::wait_for(handle, 1ms)));
  ASSERT_TRUE(eventually([&] { return target.is_cleaning_up.load(); }));
  EXPECT_TRUE(waiting.cancel("enough"));
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result().substr(0, 9), "cancelled");
}

TEST_P(cancellable_wait_for, without_time_is_cancelled_by_a_request_while_the_target_ends) {
  stubborn_target target;
  const auto handle = runtime.spawn(target.run());
  ASSERT_TRUE(eventually([&] { return target.begun.load(); }));
  const auto waiting = runtime.spawn(outcome(magpie::wait_for(handle, 0s)));
  ASSERT_TRUE(eventually([&] { return target.is_cleaning_up.load(); }));
  EXPECT_TRUE(waiting.cancel("enough"));
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result().substr(0, 9), "cancelled");
}

TEST_P(cancellable_wait_for, without_time_is_cancelled_by_a_request_that_came_before) {
  slow_target target;
  const auto handle = runtime.spawn(target.run());
  ASSERT_TRUE(eventually([&] { return target.begun == 1; }));
  const auto wait = [&]() -> magpie::task<std::string> {
    magpie::current_task().cancel("enough");
    co_return co_await outcome(magpie::wait_for(handle, 0s));
  };
  const auto waiting = runtime.spawn(wait());
  ASSERT_TRUE(ends(waiting) && ends(handle));
  EXPECT_EQ(waiting.result(), "cancelled: enough");
}

}  // namespace
