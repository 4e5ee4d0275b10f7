#include <gtest/gtest.h>

#include <chrono>
#include <magpie/magpie.hpp>
#include <magpie/task_group.hpp>
#include <stdexcept>
#include <string>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/grouping.hpp"
#include "support/reports.hpp"
#include "support/tally.hpp"
#include "support/tasks.hpp"

// Task groups whose children or body fail.

namespace {

using namespace std::chrono_literals;
using magpie::task_group;
using magpie::with_task_group;
using magpie::test::clean_up;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::tally;

/// When so many others have begun.
magpie::task<> fail_after(tally& others, int count, std::string what) {
  co_await others.until_begun(count);
  throw std::runtime_error(what);
}

class failing_task_groups : public magpie::test::grouping {};
MAGPIE_FOR_EACH_RUNTIME(failing_task_groups);

class reporting_task_groups : public magpie::test::reporting {};
MAGPIE_FOR_EACH_RUNTIME(reporting_task_groups);

// Rule 61: the first failure cancels siblings and body; all are awaited; then a group of all errors
// in order, the body's own last. Rule 64: cancelling() is 0 after, which outcome() looks at.

TEST_P(failing_task_groups, are_ended_by_the_first_failure) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    for (int i = 0; i < 20; ++i) group.spawn(clean_up(ended, "", counted()));
    group.spawn(fail_after(ended, 21, "first"));
    co_await clean_up(ended, "", counted());
  };
  EXPECT_EQ(outcome_of(body), "1 error: first");
  EXPECT_EQ(ended, 21);
}

TEST_P(failing_task_groups, collect_all_errors_in_order_and_the_body_s_own_last) {
  tally ended;
  magpie::semaphore may_fail(0);
  const auto late = [&]() -> magpie::task<> {
    ++ended.begun;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
    }
    const magpie::permit given = co_await may_fail.acquire();
    throw std::logic_error("last child");
  };
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(late());
    group.spawn(clean_up(ended, "cleaning up", counted()));
    group.spawn(fail_after(ended, 3, "first"));
    co_await clean_up(ended, "body", counted());
  };
  const auto handle = runtime.spawn(outcome(body));
  ASSERT_TRUE(eventually([&] { return ended.ended == 2; }));
  ASSERT_TRUE(nothing_runs());  // so the group has noted the failure of the one that cleaned up
  may_fail.release();
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "4 errors: first; cleaning up; last child; body");
}

TEST_P(failing_task_groups, keep_the_first_failure_first) {
  // A sibling that fails while the others are still being told.
  for (int round = 0; round < 50; ++round) {
    const auto fail_when_told = []() -> magpie::task<> {
      try {
        co_await magpie::sleep_for(1000h);
      } catch (const magpie::cancelled&) {
        throw std::runtime_error("told");
      }
    };
    const auto body = [&](task_group& group) -> magpie::task<> {
      for (int i = 0; i < 3; ++i) group.spawn(fail_when_told());
      co_await magpie::sleep_for(20us);
      group.spawn(fail("first"));
      co_await magpie::sleep_for(1000h);
    };
    const std::string errors = outcome_of(body);
    EXPECT_EQ(errors.find("first"), errors.find(": ") + 2) << errors;
  }
}

// Rule 62: an error of the body cancels the children and joins the group.

TEST_P(failing_task_groups, are_ended_by_an_error_of_the_body) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    group.spawn(clean_up(ended, "child", counted()));
    co_await ended.until_begun(2);
    throw std::runtime_error("body");
  };
  EXPECT_EQ(outcome_of(body), "2 errors: child; body");
  EXPECT_EQ(ended, 2);
}

TEST_P(failing_task_groups, are_ended_by_what_is_thrown_in_place_of_a_body) {
  tally ended;
  const auto throw_after_spawn = [&](task_group& group, auto thrown) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    throw thrown;
  };
  const auto fails = [&](task_group& group) {
    return throw_after_spawn(group, std::runtime_error("no body"));
  };
  EXPECT_EQ(outcome_of(fails), "1 error: no body");
  const auto is_cancelled = [&](task_group& group) {
    return throw_after_spawn(group, magpie::cancelled("no body"));
  };
  EXPECT_EQ(outcome_of(is_cancelled), "cancelled: no body");
}

// Rule 65: the error of an inner group is a group within a group.

TEST_P(failing_task_groups, nest_their_errors) {
  const auto inner = [](task_group& group) -> magpie::task<> {
    group.spawn(fail("inner"));
    co_await magpie::sleep_for(1000h);
  };
  const auto in_child = [&]() -> magpie::task<> { co_await with_task_group(inner); };
  const auto outer = [&](task_group& group) -> magpie::task<> {
    group.spawn(in_child());
    co_await magpie::sleep_for(1000h);
  };
  EXPECT_EQ(outcome_of(outer), "1 error: (1 error: inner)");
  const auto in_body = [&](task_group&) -> magpie::task<> { co_await with_task_group(inner); };
  EXPECT_EQ(outcome_of(in_body), "1 error: (1 error: inner)");
}

TEST_P(reporting_task_groups, observe_their_children_s_failures) {
  const auto body = [](task_group& group) -> magpie::task<> {
    group.spawn(fail("seen"), {.name = "child"});
    co_return;
  };
  EXPECT_THROW(runtime.block_on(with_task_group(body)), magpie::exception_group);
}

}  // namespace
