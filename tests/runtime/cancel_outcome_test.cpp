#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

// What becomes of a task that was asked to end: the outcome, and the count of requests.

namespace {

using namespace std::chrono_literals;
using magpie::test::compute_until;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::reason_of;
using magpie::test::scaled;
using magpie::test::stop;
using magpie::test::swallow;

class cancel_outcome : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(cancel_outcome);

class cancel_outcome_by_threads : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_WORKER_COUNT(cancel_outcome_by_threads);

class cancel_outcome_on_one_thread : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_SINGLE_THREAD(cancel_outcome_on_one_thread);

// Rule 20: pending when the body returns.

TEST_P(cancel_outcome, that_is_pending_when_the_body_returns_takes_the_result_away) {
  const auto give_cancelled = []() -> magpie::task<counted> {
    EXPECT_TRUE(magpie::current_task().cancel("too good"));
    co_return counted(1);
  };
  for (int i = 0; i < 100; ++i) {
    const auto handle = runtime.spawn(give_cancelled());
    ASSERT_TRUE(ends(handle));
    EXPECT_TRUE(handle.cancelled());
    EXPECT_THROW(static_cast<void>(handle.exception()), magpie::cancelled);
    EXPECT_EQ(reason_of(handle), "too good");
  }
  EXPECT_TRUE(eventually([] { return counted::alive() == 0; }));
}

template <class Result>
magpie::task<Result> give_when_open(std::atomic<bool>& open, std::shared_ptr<void>) {
  while (!open) co_await magpie::yield();
  co_return Result{};
}

/// The frame is destroyed when the result has been moved out of it, and the parameter with it.
template <class Result>
void cancel_by_a_parameter(magpie::runtime& runtime) {
  std::atomic<bool> open{false};
  magpie::any_task_handle self;
  std::shared_ptr<void> parameter(nullptr, [&self](void*) { EXPECT_TRUE(self.cancel("late")); });
  const auto task = runtime.spawn(give_when_open<Result>(open, std::move(parameter)));
  self = task;
  open = true;
  ASSERT_TRUE(ends(task));
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(reason_of(task), "late");
  EXPECT_EQ(counted::alive(), 0) << "the result is gone at once";
}

TEST_P(cancel_outcome, that_comes_when_the_result_is_stored_takes_it_away) {
  cancel_by_a_parameter<int>(runtime);
  cancel_by_a_parameter<std::unique_ptr<int>>(runtime);
  cancel_by_a_parameter<std::vector<int>>(runtime);  // which does not fit into the state
  cancel_by_a_parameter<counted>(runtime);
}

TEST_P(cancel_outcome, that_races_with_the_end_says_which_of_the_two_it_was) {
  for (std::size_t i = 0; i < scaled(500'000); ++i) {
    const auto give_soon = [](std::size_t value) -> magpie::task<counted> {
      co_return counted(static_cast<int>(value));
    };
    const auto handle = runtime.spawn(give_soon(i));
    if (i % 2 == 0) std::this_thread::yield();
    const bool told = handle.cancel();
    ASSERT_TRUE(ends(handle));
    ASSERT_EQ(handle.cancelled(), told);
    if (!told) {
      ASSERT_EQ(handle.result().value, static_cast<int>(i));
    }
  }
  EXPECT_TRUE(eventually([] { return counted::alive() == 0; }));
}

// Rule 21: swallowed.

TEST_P(cancel_outcome, that_is_swallowed_leaves_the_result_and_the_later_awaits_alone) {
  const auto carry_on = []() -> magpie::task<std::string> {
    auto reason = co_await swallow();
    for (int i = 0; i < 10; ++i) co_await magpie::yield();
    co_await magpie::sleep_for(0s);
    co_await magpie::sleep_for(200us);
    const int one = co_await magpie::spawn(give(1));
    EXPECT_EQ(one, 1);
    EXPECT_EQ(magpie::current_task().cancelling(), 1U);
    co_return reason;
  };
  const auto handle = runtime.spawn(carry_on());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("please"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "please");
  EXPECT_FALSE(handle.cancelled());
  EXPECT_EQ(handle.cancelling(), 1U);
  EXPECT_EQ(handle.exception(), nullptr);
}

TEST_P(cancel_outcome, that_was_swallowed_may_be_followed_by_another) {
  std::atomic<int> swallowed{0};
  const auto swallow_two = [&]() -> magpie::task<> {
    for (int i = 0; i < 2; ++i) {
      co_await swallow();
      ++swallowed;
    }
    co_await magpie::sleep_for(1000h);
  };
  const auto handle = runtime.spawn(swallow_two());
  ASSERT_TRUE(nothing_runs());
  for (int i = 1; i <= 3; ++i) {
    EXPECT_TRUE(handle.cancel(std::to_string(i)));
    EXPECT_TRUE(eventually([&] { return swallowed >= std::min(i, 2); }));
  }
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "3");
  EXPECT_EQ(handle.cancelling(), 3U);
}

// Rule 22: twice before the delivery.

TEST_P(cancel_outcome_by_threads, twice_before_the_delivery_is_delivered_once) {
  std::atomic<bool> computes{false};
  std::atomic<bool> open{false};
  const auto count_deliveries = [&]() -> magpie::task<std::string> {
    computes = true;
    compute_until(open);
    auto reason = co_await swallow();
    for (int i = 0; i < 10; ++i) co_await magpie::yield();
    co_await magpie::sleep_for(100us);
    co_return reason;
  };
  const auto handle = runtime.spawn(count_deliveries());
  EXPECT_TRUE(eventually([&] { return computes.load(); }));
  EXPECT_TRUE(handle.cancel("first"));
  EXPECT_TRUE(handle.cancel("last"));
  EXPECT_EQ(handle.cancelling(), 2U);
  open = true;
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "last");
  EXPECT_EQ(handle.cancelling(), 2U);
}

TEST_P(cancel_outcome_on_one_thread, twice_of_a_sleeper_is_delivered_once) {
  const auto count_deliveries = []() -> magpie::task<int> {
    int deliveries = 0;
    for (int i = 0; i < 3; ++i) {
      try {
        co_await magpie::sleep_for(i == 0 ? magpie::duration(1000h) : magpie::duration(1));
      } catch (const magpie::cancelled&) {
        ++deliveries;
      }
    }
    co_return deliveries;
  };
  const auto cancel_twice = [&]() -> magpie::task<int> {
    const auto handle = magpie::spawn(count_deliveries());
    co_await magpie::sleep_for(1ms);  // it sleeps now
    EXPECT_TRUE(handle.cancel());
    EXPECT_TRUE(handle.cancel());
    EXPECT_EQ(handle.cancelling(), 2U);
    const int deliveries = co_await handle;
    co_return deliveries;
  };
  EXPECT_EQ(runtime.block_on(cancel_twice()), 1);
}

TEST_P(cancel_outcome, twice_of_oneself_is_delivered_once) {
  const auto tell_oneself = []() -> magpie::task<std::string> {
    EXPECT_TRUE(magpie::current_task().cancel("first"));
    EXPECT_TRUE(magpie::current_task().cancel("last"));
    EXPECT_EQ(magpie::current_task().cancelling(), 2U);
    auto reason = co_await swallow();
    for (int i = 0; i < 10; ++i) co_await magpie::yield();
    co_await magpie::sleep_for(100us);
    co_return reason;
  };
  const auto handle = runtime.spawn(tell_oneself());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "last");
  EXPECT_EQ(handle.cancelling(), 2U);
}

// Rule 23: something else comes out.

TEST_P(cancel_outcome, answered_by_another_exception_is_a_failure) {
  const auto fail_cleaning_up = []() -> magpie::task<int> {
    const std::string reason = co_await swallow();
    throw std::runtime_error("broken when told " + reason);
  };
  const auto handle = runtime.spawn(fail_cleaning_up());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("stop"));
  ASSERT_TRUE(ends(handle));
  EXPECT_FALSE(handle.cancelled());
  EXPECT_EQ(handle.status(), magpie::task_status::finished);
  EXPECT_EQ(handle.cancelling(), 1U);
  try {
    handle.result();
    ADD_FAILURE() << "a result";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "broken when told stop");
  }
}

TEST_P(cancel_outcome, that_is_pending_when_the_body_throws_leaves_it_what_it_threw) {
  const auto fail_when_told = []() -> magpie::task<> {
    EXPECT_TRUE(magpie::current_task().cancel());
    throw 5;
    co_return;
  };
  const auto handle = runtime.spawn(fail_when_told());
  ASSERT_TRUE(ends(handle));
  EXPECT_FALSE(handle.cancelled());
  EXPECT_THROW(handle.result(), int);
}

TEST_P(cancel_outcome, is_what_a_body_does_that_throws_cancelled_uninvited) {
  const auto handle = runtime.spawn(stop("of its own accord"));
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(handle.cancelling(), 0U);
  EXPECT_EQ(reason_of(handle), "of its own accord");
}

// Rule 25: taken back.

TEST_P(cancel_outcome_by_threads, taken_back_before_the_delivery_is_never_delivered) {
  std::atomic<bool> computes{false};
  std::atomic<bool> open{false};
  const auto await_much = [&]() -> magpie::task<int> {
    computes = true;
    compute_until(open);
    co_await magpie::yield();
    co_await magpie::sleep_for(0s);
    co_await magpie::sleep_for(100us);
    const int value = co_await magpie::spawn(give(3));
    co_return value;
  };
  const auto handle = runtime.spawn(await_much());
  EXPECT_TRUE(eventually([&] { return computes.load(); }));
  EXPECT_EQ(handle.uncancel(), 0U);
  EXPECT_TRUE(handle.cancel("one"));
  EXPECT_TRUE(handle.cancel("two"));
  EXPECT_EQ(handle.uncancel(), 1U);
  EXPECT_EQ(handle.uncancel(), 0U);
  EXPECT_EQ(handle.uncancel(), 0U);
  EXPECT_EQ(handle.cancelling(), 0U);
  open = true;
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), 3);
  EXPECT_FALSE(handle.cancelled());
}

TEST_P(cancel_outcome, of_oneself_is_delivered_unless_all_of_it_is_taken_back) {
  const auto tell_oneself = [](unsigned taken_back) -> magpie::task<> {
    const auto self = magpie::current_task();
    EXPECT_EQ(self.uncancel(), 0U);
    EXPECT_TRUE(self.cancel());
    EXPECT_TRUE(self.cancel());
    for (unsigned i = 1; i <= taken_back; ++i) EXPECT_EQ(self.uncancel(), i < 2 ? 2 - i : 0);
    co_await magpie::yield();
    co_await magpie::sleep_for(100us);
    co_await magpie::spawn(give(3));
  };
  for (const unsigned taken_back : {0U, 1U, 2U, 3U}) {
    const auto handle = runtime.spawn(tell_oneself(taken_back));
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(handle.cancelled(), taken_back < 2);
    EXPECT_EQ(handle.cancelling(), taken_back < 2 ? 2 - taken_back : 0);
  }
}

TEST_P(cancel_outcome_by_threads, taken_back_in_part_is_delivered) {
  std::atomic<bool> computes{false};
  std::atomic<bool> open{false};
  const auto sleep_later = [&]() -> magpie::task<> {
    computes = true;
    compute_until(open);
    co_await magpie::sleep_for(1000h);
  };
  const auto handle = runtime.spawn(sleep_later());
  EXPECT_TRUE(eventually([&] { return computes.load(); }));
  EXPECT_TRUE(handle.cancel());
  EXPECT_TRUE(handle.cancel());
  EXPECT_EQ(handle.uncancel(), 1U);
  open = true;
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(handle.cancelling(), 1U);
}

TEST_P(cancel_outcome_on_one_thread, taken_back_before_the_first_step_lets_the_body_run) {
  const auto change_ones_mind = []() -> magpie::task<int> {
    const auto handle = magpie::spawn(give(4));
    EXPECT_TRUE(handle.cancel());
    EXPECT_EQ(handle.uncancel(), 0U);
    const int value = co_await handle;
    co_return value;
  };
  EXPECT_EQ(runtime.block_on(change_ones_mind()), 4);
}

TEST_P(cancel_outcome, taken_back_before_the_body_returns_leaves_the_result) {
  const auto change_ones_mind = []() -> magpie::task<int> {
    EXPECT_TRUE(magpie::current_task().cancel());
    EXPECT_EQ(magpie::current_task().uncancel(), 0U);
    co_return 5;
  };
  const auto handle = runtime.spawn(change_ones_mind());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), 5);
}

TEST_P(cancel_outcome, is_not_taken_back_after_the_end) {
  const auto handle = runtime.spawn(swallow());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.uncancel(), 1U);
  EXPECT_EQ(handle.uncancel(), 1U);
  EXPECT_EQ(handle.cancelling(), 1U);
  EXPECT_FALSE(handle.cancelled());
}

}  // namespace
