#include <gtest/gtest.h>

#include <chrono>
#include <magpie/errors.hpp>
#include <magpie/exception_group.hpp>
#include <magpie/gather.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task_group.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <string>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/tasks.hpp"

// A task group that is an object, without a body, and is joined.

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::task_group;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::reason_of;
using magpie::test::sleep_and_give;
using magpie::test::sleep_long;

class joined_groups : public magpie::test::leaving_nothing {};
MAGPIE_FOR_EACH_RUNTIME(joined_groups);

task<int> count_and_sleep(int number) {
  const counted local;
  co_await magpie::sleep_for(1000h);
  co_return number;
}

TEST_P(joined_groups, wait_for_all_children) {
  const auto run = []() -> task<int> {
    task_group group;
    const auto one = group.spawn(give(1));
    const auto grow = [&group]() -> task<> {
      co_await magpie::sleep_for(10us);
      group.spawn(give(2));
    };
    group.spawn(grow());
    const auto slept = group.spawn(magpie::sleep_for(100us));
    co_await group.join();
    EXPECT_TRUE(slept.done());
    co_return one.result();
  };
  EXPECT_EQ(runtime.block_on(run()), 1);
}

TEST_P(joined_groups, throw_all_failures_when_all_have_ended) {
  const auto run = []() -> task<std::string> {
    task_group group;
    group.spawn(count_and_sleep(1));
    group.spawn(fail("first"));
    std::string what;
    try {
      co_await group.join();
    } catch (const magpie::exception_group& errors) {
      what = errors.what();
    }
    EXPECT_EQ(counted::alive(), 0) << "the others were cancelled";
    co_return what;
  };
  EXPECT_NE(runtime.block_on(run()).find("first"), std::string::npos);
}

TEST_P(joined_groups, cancel_the_others_before_the_join_too) {
  const auto run = []() -> task<> {
    task_group group;
    const auto other = group.spawn(count_and_sleep(1));
    group.spawn(fail("first"));
    while (!other.done()) co_await magpie::sleep_for(10us);
    EXPECT_TRUE(other.cancelled());
    EXPECT_EQ(magpie::current_task().cancelling(), 0U) << "nobody cancels the task itself";
    bool was_refused = false;
    try {
      group.spawn(give(1));
    } catch (const magpie::invalid_state&) {
      was_refused = true;
    }
    EXPECT_TRUE(was_refused) << "it has failed";
    bool has_thrown = false;
    try {
      co_await group.join();
    } catch (const magpie::exception_group&) {
      has_thrown = true;
    }
    EXPECT_TRUE(has_thrown);
  };
  runtime.block_on(run());
}

TEST_P(joined_groups, pass_a_cancel_request_on) {
  const auto run = []() -> task<> {
    task_group group;
    group.spawn(count_and_sleep(1));
    group.spawn(count_and_sleep(2));
    co_await group.join();
  };
  const auto joining = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  EXPECT_EQ(joining.waiting_for(), "task group");
  EXPECT_TRUE(joining.cancel("enough"));
  ASSERT_TRUE(ends(joining));
  EXPECT_EQ(reason_of(joining), "enough");
}

TEST_P(joined_groups, may_be_cancelled_as_a_whole_and_within_a_limit) {
  const auto run = []() -> task<> {
    task_group group;
    const auto child = group.spawn(count_and_sleep(1));
    group.cancel();
    co_await group.join();
    EXPECT_TRUE(child.cancelled());

    task_group limited;
    limited.spawn(count_and_sleep(2));
    bool was_late = false;
    try {
      co_await magpie::wait_for(limited.join(), 1ms);
    } catch (const magpie::timeout_error&) {
      was_late = true;
    }
    EXPECT_TRUE(was_late);
    EXPECT_EQ(counted::alive(), 0);
  };
  runtime.block_on(run());
}

TEST_P(joined_groups, need_no_join_without_children) {
  const auto run = []() -> task<> {
    const task_group unused;
    task_group joined;
    co_await joined.join();
  };
  runtime.block_on(run());
}

TEST_P(joined_groups, are_joined_once) {
  const auto run = []() -> task<int> {
    int refusals = 0;
    const auto join = [&refusals](task_group& group) -> task<> {
      try {
        co_await group.join();
      } catch (const magpie::invalid_state&) {
        ++refusals;
      }
    };
    task_group group;
    group.spawn(give(1));
    co_await group.join();
    co_await join(group);
    co_await magpie::with_task_group(join);
    co_return refusals;
  };
  EXPECT_EQ(runtime.block_on(run()), 2);
}

TEST_P(joined_groups, are_made_in_a_task) { EXPECT_THROW(task_group(), magpie::invalid_state); }

TEST(joined_groups_death, destroyed_without_a_join_names_its_children) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto leave = [] {
    magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
    const auto run = []() -> task<> {
      task_group group;
      group.spawn(sleep_long(), {.name = "forgotten"});
      co_await magpie::yield();
    };
    runtime.block_on(run());
  };
  EXPECT_DEATH(leave(), "was not joined. Its children: \"forgotten\"");
}

}  // namespace
