#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <magpie/magpie.hpp>
#include <magpie/task_group.hpp>
#include <string>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/grouping.hpp"
#include "support/tally.hpp"
#include "support/tasks.hpp"

// Task groups that are cancelled, or whose children are.

namespace {

using namespace std::chrono_literals;
using magpie::task_group;
using magpie::with_task_group;
using magpie::test::clean_up;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::reason_of;
using magpie::test::sleep_long;
using magpie::test::stop;
using magpie::test::tally;

class cancellable_task_groups : public magpie::test::grouping {};
MAGPIE_FOR_EACH_RUNTIME(cancellable_task_groups);

// Rule 60: a cancelled child does not fail the group.

TEST_P(cancellable_task_groups, do_not_mind_a_cancelled_child) {
  std::atomic<bool> sibling_ended{false};
  const auto sibling = [&]() -> magpie::task<> {
    co_await magpie::sleep_for(1ms);
    sibling_ended = true;
  };
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(sibling());
    group.spawn(sleep_long()).cancel();
    group.spawn(stop("of itself"));
    const auto slept = group.spawn(sleep_long());
    co_await magpie::sleep_for(100us);
    EXPECT_TRUE(slept.cancel());
  };
  EXPECT_EQ(outcome_of(body), "left");
  EXPECT_TRUE(sibling_ended);
}

// Rule 63: cancelled from outside. The errors of children outrank that, and then the parent stays
// cancelled.

TEST_P(cancellable_task_groups, pass_a_cancellation_on_while_the_body_runs) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    co_await clean_up(ended, "", counted());
  };
  const auto handle = runtime.spawn(outcome(body));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "cancelled: enough");
  EXPECT_EQ(ended, 2);
}

TEST_P(cancellable_task_groups, pass_a_cancellation_on_while_they_wait_for_children) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    group.spawn(clean_up(ended, "", counted()));
    co_return;
  };
  const auto handle = runtime.spawn(outcome(body));
  ASSERT_TRUE(nothing_runs());
  EXPECT_EQ(handle.waiting_for(), "task group");
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "cancelled: enough");
  EXPECT_EQ(ended, 2);
}

TEST_P(cancellable_task_groups, throw_errors_first_and_leave_the_parent_cancelled) {
  for (const bool in_body : {true, false}) {
    tally ended;
    std::string told;
    const auto body = [&](task_group& group) -> magpie::task<> {
      group.spawn(clean_up(ended, "child", counted()));
      if (in_body) co_await magpie::sleep_for(1000h);
    };
    const auto handle = runtime.spawn(outcome(body, &told));
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(handle.cancel("enough"));
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(handle.result(), "1 error: child");
    EXPECT_EQ(handle.cancelling(), 1U) << "counted once";
    EXPECT_EQ(told, "enough");
  }
}

TEST_P(cancellable_task_groups, throw_errors_first_within_a_timeout_too) {
  tally ended;
  std::string result;
  const auto limited = [&](magpie::timeout_scope& scope) -> magpie::task<> {
    const auto body = [&](task_group& group) -> magpie::task<> {
      group.spawn(clean_up(ended, "child", counted()));
      co_await ended.until_begun(1);  // a child that has not begun has no error
      EXPECT_TRUE(scope.reschedule(1ms));
    };
    try {
      co_await with_task_group(std::ref(body));
    } catch (const magpie::exception_group& errors) {
      result = errors.what();
    }
    EXPECT_TRUE(scope.expired());
    co_await magpie::sleep_for(1000h);
  };
  const auto run = [&]() -> magpie::task<> { co_await magpie::with_timeout(1000h, limited); };
  EXPECT_THROW(runtime.block_on(run()), magpie::timeout_error);
  EXPECT_EQ(result, "1 error: child");
}

TEST_P(cancellable_task_groups, throw_errors_first_as_a_child_of_a_gather_too) {
  tally ended;
  std::string told;
  std::string result;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "child", counted()));
    co_return;
  };
  const auto first = [&]() -> magpie::task<> { result = co_await outcome(body, &told); };
  const auto run = [&]() -> magpie::task<> { co_await magpie::gather(first(), sleep_long()); };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "enough");
  EXPECT_EQ(result, "1 error: child");
  EXPECT_EQ(told, "enough");
}

TEST_P(cancellable_task_groups, pass_on_what_the_body_throws_as_cancelled) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    co_await ended.until_begun(1);
    co_await stop("not asked for");
  };
  EXPECT_EQ(outcome_of(body), "cancelled: not asked for");
  EXPECT_EQ(ended, 1);
}

// Rule 69: cancel() ends it silently, and may be called again.

TEST_P(cancellable_task_groups, are_cancelled_silently) {
  tally ended;
  // Outside of the body, which may end while this child still runs.
  const auto end_it = [&](task_group& group) -> magpie::task<> {
    co_await ended.until_begun(1);
    group.cancel();
    group.cancel();
  };
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    group.spawn(end_it(group));
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      group.cancel();
    }
    co_await magpie::sleep_for(100us);
    ++ended.ended;
  };
  EXPECT_EQ(outcome_of(body), "left");
  EXPECT_EQ(ended, 2);
}

TEST_P(cancellable_task_groups, that_were_cancelled_have_no_result_to_give) {
  const auto body = [](task_group& group) -> magpie::task<int> {
    group.cancel();
    co_await magpie::sleep_for(1000h);
    co_return 1;
  };
  const auto nevertheless = [](task_group& group) -> magpie::task<int> {
    group.cancel();
    co_return 2;
  };
  EXPECT_THROW(runtime.block_on(with_task_group(body)), magpie::cancelled);
  EXPECT_EQ(runtime.block_on(with_task_group(nevertheless)), 2);
}

}  // namespace
