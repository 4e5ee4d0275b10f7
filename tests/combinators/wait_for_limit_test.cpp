#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <stdexcept>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/outcome_text.hpp"
#include "support/slow_target.hpp"
#include "support/tasks.hpp"

// Limits that are reached, are over from the start, or never come. Nobody waits for the long
// sleeps: they are cancelled.

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::outcome;
using magpie::test::outcome_within;
using magpie::test::sleep_and_give;
using magpie::test::slow_target;

using floating = std::chrono::duration<double>;

magpie::task<int> swallow_and_give(int value, std::atomic<bool>* begun = nullptr) {
  if (begun != nullptr) *begun = true;
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled&) {
    co_return value;
  }
  co_return 0;
}

magpie::task<int> swallow_and_fail(std::atomic<bool>* begun = nullptr) {
  if (begun != nullptr) *begun = true;
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled&) {
    throw std::runtime_error("while it ended");
  }
  co_return 0;
}

class timed_wait_for : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_RUNTIME(timed_wait_for);

class wait_for_on_one_thread : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_SINGLE_THREAD(wait_for_on_one_thread);

// Rule 43: no limit, no timeout.

TEST_P(timed_wait_for, with_no_limit_or_a_huge_one_has_no_deadline) {
  const auto ask = []() -> magpie::task<bool> {
    co_await magpie::yield();
    co_return magpie::current_deadline().has_value();
  };
  const auto try_all = [&]() -> magpie::task<> {
    const bool without = co_await magpie::wait_for(ask(), magpie::no_limit);
    EXPECT_FALSE(without);
    const bool hours = co_await magpie::wait_for(ask(), std::chrono::hours::max());
    EXPECT_FALSE(hours);
    const bool infinite =
        co_await magpie::wait_for(ask(), floating(std::numeric_limits<double>::infinity()));
    EXPECT_FALSE(infinite);
    const bool beyond_the_clock =
        co_await magpie::wait_for(ask(), magpie::no_limit - magpie::duration(1));
    EXPECT_FALSE(beyond_the_clock);
    const bool long_one = co_await magpie::wait_for(ask(), 24h * 365 * 100);
    EXPECT_TRUE(long_one);
  };
  runtime.block_on(try_all());
}

TEST_P(timed_wait_for, with_no_limit_awaits_a_spawned_task) {
  const auto wait = [this]() -> magpie::task<int> {
    const auto spawned = runtime.spawn(give_after_yields(4, 10));
    co_return co_await magpie::wait_for(spawned, magpie::no_limit);
  };
  EXPECT_EQ(runtime.block_on(wait()), 4);
}

// Rule 44: at the limit the target is cancelled and awaited to its end; then timeout_error.

TEST_P(timed_wait_for, ends_a_lazy_task_at_the_limit) {
  slow_target target;
  const auto begin = runtime.now();
  EXPECT_EQ(runtime.block_on(outcome_within(target.run(), 1ms)), "timeout");
  EXPECT_GE(runtime.now() - begin, 1ms);
  EXPECT_TRUE(target.ended) << "it is awaited to its end";
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(timed_wait_for, ends_a_spawned_task_at_the_limit) {
  slow_target target;
  const auto handle = runtime.spawn(target.run());
  ASSERT_TRUE(eventually([&] { return target.begun == 1; }));
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(handle, 1ms))), "timeout");
  EXPECT_TRUE(target.ended);
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(handle.cancelling(), 1U);
}

// The time may be over before the wait has begun; that is no reason to leave the target alone.
TEST_P(timed_wait_for, ends_a_spawned_task_at_a_limit_that_is_over_at_once) {
  for (int i = 0; i < 300; ++i) {
    const auto target = runtime.spawn(sleep_and_give(1));
    ASSERT_EQ(runtime.block_on(outcome(magpie::wait_for(target, magpie::duration(1)))), "timeout");
    ASSERT_TRUE(target.cancelled());
  }
}

TEST_P(timed_wait_for, leaves_the_caller_uncancelled) {
  const auto wait = []() -> magpie::task<unsigned> {
    for (int i = 0; i < 10; ++i) {
      const auto ended = co_await outcome_within(sleep_and_give(1), 100us);
      EXPECT_EQ(ended, "timeout");
      co_await magpie::yield();
      co_await magpie::sleep_for(1us);
      EXPECT_FALSE(magpie::current_deadline().has_value());
    }
    co_return magpie::current_task().cancelling();
  };
  EXPECT_EQ(runtime.block_on(wait()), 0U);
}

TEST_P(timed_wait_for, ends_a_spawned_task_for_all_that_await_it) {
  const auto target = runtime.spawn(sleep_and_give(1));
  const auto other = runtime.spawn(outcome(magpie::wait_for(target, magpie::no_limit)));
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(target, 1ms))), "timeout");
  ASSERT_TRUE(ends(other));
  EXPECT_EQ(other.result(), "cancelled");
}

// Rule 45: with no time at all, what is done counts, and what has not started never does.

TEST_P(timed_wait_for, does_not_begin_a_lazy_task_without_time) {
  slow_target target;
  EXPECT_EQ(runtime.block_on(outcome_within(target.run(), 0s)), "timeout");
  EXPECT_EQ(runtime.block_on(outcome_within(target.run(), -1h)), "timeout");
  EXPECT_EQ(runtime.block_on(outcome_within(target.run(), magpie::duration::min())), "timeout");
  EXPECT_EQ(runtime.block_on(
                outcome_within(target.run(), floating(std::numeric_limits<double>::quiet_NaN()))),
            "timeout");
  EXPECT_EQ(runtime.block_on(
                outcome_within(target.run(), floating(-std::numeric_limits<double>::infinity()))),
            "timeout");
  EXPECT_EQ(target.begun, 0);
}

TEST_P(timed_wait_for, destroys_what_it_does_not_begin) {
  const auto hold = [](counted argument) -> magpie::task<int> { co_return argument.value; };
  EXPECT_EQ(runtime.block_on(outcome_within(hold(counted(1)), 0s)), "timeout");
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(timed_wait_for, without_time_gives_the_result_of_a_task_that_is_done) {
  const auto done = runtime.spawn(give(5));
  ASSERT_TRUE(ends(done));
  const auto failed = runtime.spawn(fail("earlier"));
  ASSERT_TRUE(ends(failed));
  const auto wait = [&]() -> magpie::task<int> { co_return co_await magpie::wait_for(done, -1s); };
  EXPECT_EQ(runtime.block_on(wait()), 5);
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(failed, 0s))), "earlier");
}

TEST_P(wait_for_on_one_thread, without_time_does_not_let_a_spawned_task_begin) {
  slow_target target;
  const auto wait = [&]() -> magpie::task<> {
    const auto handle = magpie::spawn(target.run());
    const auto ended = co_await outcome(magpie::wait_for(handle, 0s));
    EXPECT_EQ(ended, "timeout");
    EXPECT_TRUE(handle.cancelled());
  };
  runtime.block_on(wait());
  EXPECT_EQ(target.begun, 0);
}

TEST_P(timed_wait_for, without_time_awaits_the_end_of_a_task_that_has_begun) {
  slow_target target;
  const auto handle = runtime.spawn(target.run());
  ASSERT_TRUE(eventually([&] { return target.begun == 1; }));
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(handle, 0s))), "timeout");
  EXPECT_TRUE(target.ended);
  EXPECT_TRUE(handle.cancelled());
}

// Rule 46: what the target makes of its cancellation is passed on.

TEST_P(timed_wait_for, passes_on_what_the_target_gives_instead) {
  const auto lazy = []() -> magpie::task<int> {
    co_return co_await magpie::wait_for(swallow_and_give(9), 1ms);
  };
  EXPECT_EQ(runtime.block_on(lazy()), 9);
  EXPECT_EQ(runtime.block_on(outcome_within(swallow_and_fail(), 1ms)), "while it ended");

  // A task that is cancelled before it has begun makes nothing of it.
  for (const magpie::duration limit : {magpie::duration(1ms), magpie::duration(0)}) {
    std::atomic<bool> begun{false};
    const auto target = runtime.spawn(swallow_and_give(9, &begun));
    ASSERT_TRUE(eventually([&] { return begun.load(); }));
    const auto spawned = [&]() -> magpie::task<int> {
      co_return co_await magpie::wait_for(target, limit);
    };
    EXPECT_EQ(runtime.block_on(spawned()), 9);
    EXPECT_FALSE(target.cancelled());
  }
  std::atomic<bool> begun{false};
  const auto failing = runtime.spawn(swallow_and_fail(&begun));
  ASSERT_TRUE(eventually([&] { return begun.load(); }));
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(failing, 1ms))), "while it ended");
}

}  // namespace
