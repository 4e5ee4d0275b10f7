#include <gtest/gtest.h>

#include <atomic>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/task_handle.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/each_runtime.hpp"
#include "support/reports.hpp"
#include "support/tasks.hpp"

namespace {

using magpie::any_task_handle;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_when;
using magpie::test::stop;
using magpie::test::wait_until_done;

class task_outcome : public magpie::test::reporting {};
MAGPIE_FOR_EACH_RUNTIME(task_outcome);

// The order in which several workers run tasks is not promised.
class task_outcome_on_one_worker : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

// Rules 4 and 5: result() and exception() in each state.

TEST_P(task_outcome, refuses_result_and_exception_before_the_end) {
  std::atomic<bool> open{false};
  const auto handle = runtime.spawn(give_when(open, 1));
  EXPECT_THROW(static_cast<void>(handle.result()), magpie::invalid_state);
  EXPECT_THROW(static_cast<void>(handle.exception()), magpie::invalid_state);
  open = true;
  wait_until_done(handle);
}

TEST_P(task_outcome, of_a_success_has_a_result_and_no_exception) {
  const auto handle = runtime.spawn(give(8));
  wait_until_done(handle);
  EXPECT_EQ(handle.result(), 8);
  EXPECT_EQ(handle.exception(), nullptr);
}

TEST_P(task_outcome, of_a_failure_rethrows_and_gives_the_exception) {
  const auto handle = runtime.spawn(fail("broken"));
  wait_until_done(handle);
  EXPECT_THROW(static_cast<void>(handle.result()), std::runtime_error);
  EXPECT_THROW(std::rethrow_exception(handle.exception()), std::runtime_error);
  EXPECT_THROW(static_cast<void>(handle.result()), std::runtime_error) << "each time";
}

TEST_P(task_outcome, of_a_cancelled_task_throws_cancelled_with_the_reason) {
  const auto handle = runtime.spawn(stop("enough"));
  wait_until_done(handle);
  EXPECT_THROW(static_cast<void>(handle.exception()), magpie::cancelled);
  try {
    static_cast<void>(handle.result());
    FAIL() << "nothing thrown";
  } catch (const magpie::cancelled& cancelled) {
    EXPECT_EQ(cancelled.reason(), "enough");
  }
}

// Rule 6: every awaiter gets the same outcome.

TEST_P(task_outcome, gives_all_its_awaiters_the_same_object) {
  std::atomic<bool> open{false};
  const auto shared = runtime.spawn(give_when(open, 5));
  const auto await = [](magpie::task_handle<int> handle) -> magpie::task<const int*> {
    const int& result = co_await handle;
    co_return &result;
  };
  std::vector<magpie::task_handle<const int*>> awaiters;
  for (int i = 0; i < 50; ++i) awaiters.push_back(runtime.spawn(await(shared)));
  open = true;
  for (auto& each : awaiters) {
    wait_until_done(each);
    EXPECT_EQ(each.result(), &shared.result());
  }
}

TEST_P(task_outcome, gives_all_its_awaiters_the_same_failure) {
  const auto shared = runtime.spawn(fail("broken"));
  const auto await = [](magpie::task_handle<int> handle) -> magpie::task<std::string> {
    try {
      co_await handle;
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing thrown";
  };
  std::vector<magpie::task_handle<std::string>> awaiters;
  for (int i = 0; i < 50; ++i) awaiters.push_back(runtime.spawn(await(shared)));
  for (auto& each : awaiters) {
    wait_until_done(each);
    EXPECT_EQ(each.result(), "broken");
  }
}

TEST_F(task_outcome_on_one_worker, resumes_its_awaiters_in_the_order_in_which_they_came) {
  std::atomic<bool> open{false};
  std::vector<int> order;
  const auto shared = runtime.spawn(give_when(open, 5));
  const auto await = [&order, &shared](int number) -> magpie::task<> {
    co_await shared;
    order.push_back(number);
  };
  std::vector<magpie::task_handle<>> awaiters;
  for (int i = 0; i < 5; ++i) awaiters.push_back(runtime.spawn(await(i)));
  const auto let_them_wait = []() -> magpie::task<> {
    for (int i = 0; i < 1000; ++i) co_await magpie::yield();
  };
  runtime.block_on(let_them_wait());
  open = true;
  for (auto& each : awaiters) wait_until_done(each);
  // The first is to run next, but for a turn of fairness, in which the others may come before it.
  ASSERT_EQ(std::erase(order, 0), 1U);
  EXPECT_EQ(order, (std::vector{1, 2, 3, 4}));
}

// Taking the result.

TEST_P(task_outcome, moves_the_result_out_of_the_last_handle) {
  const auto parent = []() -> magpie::task<int> {
    const auto make = []() -> magpie::task<std::unique_ptr<int>> {
      co_await magpie::yield();
      co_return std::make_unique<int>(6);
    };
    const std::unique_ptr<int> taken = co_await magpie::spawn(make());
    co_return *taken;
  };
  for (int i = 0; i < 200; ++i) EXPECT_EQ(runtime.block_on(parent()), 6);
}

TEST_P(task_outcome, copies_the_result_when_there_are_other_handles) {
  const auto parent = []() -> magpie::task<std::string> {
    const auto make = []() -> magpie::task<std::string> {
      co_return "long enough to live on the heap";
    };
    auto handle = magpie::spawn(make());
    const auto other = handle;
    const std::string taken = co_await std::move(handle);
    co_return taken + "|" + other.result();
  };
  EXPECT_EQ(runtime.block_on(parent()),
            "long enough to live on the heap|long enough to live on the heap");
}

TEST_P(task_outcome, refuses_to_take_what_cannot_be_copied_from_others) {
  const auto parent = []() -> magpie::task<bool> {
    const auto make = []() -> magpie::task<std::unique_ptr<int>> {
      co_return std::make_unique<int>(6);
    };
    auto handle = magpie::spawn(make());
    const auto other = handle;
    bool refused = false;
    try {
      const auto taken = co_await std::move(handle);
    } catch (const magpie::invalid_state&) {
      refused = true;
    }
    co_return refused && *other.result() == 6;
  };
  EXPECT_TRUE(runtime.block_on(parent()));
}

// Rule 90: only handles of the task's own type stand in the way.

TEST_P(task_outcome, is_moved_although_there_are_handles_of_any_type) {
  const auto parent = [this]() -> magpie::task<int> {
    any_task_handle itself;
    const auto make = [&itself]() -> magpie::task<std::unique_ptr<int>> {
      itself = magpie::current_task();
      co_await magpie::yield();
      co_return std::make_unique<int>(6);
    };
    auto handle = magpie::spawn(make());
    std::vector<any_task_handle> others{handle, handle};
    others.push_back(any_task_handle(magpie::task_handle(handle)));  // of a temporary
    std::atomic<bool> is_called{false};
    handle.add_done_callback([&](const any_task_handle& ended) {
      EXPECT_EQ(ended, others.front());
      is_called = true;
    });
    const std::vector<any_task_handle> live = runtime.all_tasks();
    const std::unique_ptr<int> taken = co_await std::move(handle);
    EXPECT_TRUE(others.back().done() && itself == others.back());
    EXPECT_EQ(others.back().exception(), nullptr);
    while (!is_called) co_await magpie::yield();
    co_return *taken;
  };
  for (int i = 0; i < 50; ++i) EXPECT_EQ(runtime.block_on(parent()), 6);
}

TEST_P(task_outcome, of_a_failure_comes_before_the_refusal_to_take) {
  const auto parent = [](bool is_cancelled) -> magpie::task<> {
    const auto fail_or_stop = [is_cancelled]() -> magpie::task<std::unique_ptr<int>> {
      if (is_cancelled) throw magpie::cancelled("gone");
      throw std::runtime_error("broken");
      co_return nullptr;
    };
    auto handle = magpie::spawn(fail_or_stop());
    const auto other = handle;
    co_await std::move(handle);
  };
  EXPECT_THROW(runtime.block_on(parent(false)), std::runtime_error);
  EXPECT_THROW(runtime.block_on(parent(true)), magpie::cancelled);
}

TEST_P(task_outcome, of_void_and_of_a_reference) {
  int object = 4;
  const auto parent = [&object]() -> magpie::task<bool> {
    const auto bump = [&object]() -> magpie::task<> {
      ++object;
      co_return;
    };
    const auto refer = [](int& target) -> magpie::task<int&> { co_return target; };
    const auto bumped = magpie::spawn(bump());
    co_await bumped;
    auto referring = magpie::spawn(refer(object));
    int& same = co_await referring;
    int& taken = co_await std::move(referring);
    co_return object == 5 && &same == &object && &taken == &object;
  };
  EXPECT_TRUE(runtime.block_on(parent()));
}

}  // namespace
