#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <optional>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/outcome_text.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"
#include "support/timing_out.hpp"

// Limits of hours are cut short by reschedule(); nobody waits for the long sleeps.

namespace {

using namespace std::chrono_literals;
using magpie::timeout_scope;
using magpie::test::clean_up_slowly;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::limited;
using magpie::test::outcome;
using magpie::test::published_scope;
using magpie::test::scaled;
using magpie::test::sleep_long;

class reschedulable_with_timeout : public magpie::test::timing_out {};
MAGPIE_FOR_EACH_RUNTIME(reschedulable_with_timeout);

// Rule 54: reschedule.

TEST_P(reschedulable_with_timeout, rescheduled_from_a_foreign_thread_to_the_past_is_over) {
  std::atomic<bool> cleaned_up{false};
  published_scope published;
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    published.publish(scope);
    co_await clean_up_slowly(cleaned_up);
  };
  const auto handle = runtime.spawn(outcome(limited(1000h, body)));
  EXPECT_TRUE(published.wait().reschedule(runtime.now() - 1s));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "timeout");
  EXPECT_TRUE(cleaned_up);
}

TEST_P(reschedulable_with_timeout, rescheduled_by_another_task_to_an_earlier_moment_is_over_then) {
  for (const auto limit : {magpie::duration(1000h), magpie::no_limit}) {
    published_scope published;
    const auto body = [&](timeout_scope& scope) -> magpie::task<> {
      published.publish(scope);
      co_await sleep_long();
    };
    magpie::time_point moment;
    const auto cut = [&]() -> magpie::task<bool> {
      while (published.scope == nullptr) co_await magpie::yield();
      moment = magpie::now() + 2ms;
      co_return published.scope.load()->reschedule(moment);
    };
    const auto handle = runtime.spawn(outcome(limited(limit, body)));
    EXPECT_TRUE(runtime.block_on(cut()));
    ASSERT_TRUE(ends(handle));
    EXPECT_GE(runtime.now(), moment);
    EXPECT_EQ(handle.result(), "timeout");
  }
}

// What makes the body is called with the scope before that has begun.

TEST_P(reschedulable_with_timeout, may_be_rescheduled_by_what_makes_the_body) {
  const auto within = [](magpie::duration first, magpie::duration then) -> magpie::task<> {
    const auto make = [then](timeout_scope& scope) {
      EXPECT_TRUE(scope.deadline().has_value());
      EXPECT_TRUE(scope.reschedule(then));
      EXPECT_FALSE(scope.expired());
      return sleep_long();
    };
    co_await magpie::with_timeout(first, make);
  };
  EXPECT_EQ(outcome_of(within(5000h, 1ms)), "timeout");
  EXPECT_EQ(outcome_of(within(5000h, 0ms)), "timeout");
  if (is_virtual()) {
    EXPECT_EQ(outcome_of(within(1ms, 5000h)), "result");
  }
}

TEST_P(reschedulable_with_timeout, rescheduled_to_later_or_never_goes_on) {
  const auto body = [](timeout_scope& scope) -> magpie::task<> {
    const auto later = magpie::now() + 1000h;
    const auto first = *scope.deadline();
    const bool is_later = scope.reschedule(later);
    if (!is_later) throw magpie::invalid_state("the time was already running out");
    EXPECT_EQ(scope.deadline(), later);
    // A timer for the same moment as the first deadline, and one after it.
    co_await magpie::sleep_until(first);
    co_await magpie::sleep_for(1ms);
    EXPECT_FALSE(scope.expired());
    EXPECT_TRUE(scope.reschedule(magpie::no_limit));
    EXPECT_EQ(scope.deadline(), std::nullopt);
    EXPECT_TRUE(scope.reschedule(magpie::time_point::max()));
    EXPECT_EQ(scope.deadline(), std::nullopt);
    EXPECT_TRUE(scope.reschedule(1000h));
    EXPECT_TRUE(scope.deadline().has_value());
  };
  // The first time may be over before the body is there to change it.
  EXPECT_TRUE(eventually([&] { return outcome_of(limited(10ms, body)) == "result"; }));
}

TEST_P(reschedulable_with_timeout,
       rescheduled_by_its_own_body_to_the_past_is_told_at_the_next_suspension) {
  const auto body = [](timeout_scope& scope) -> magpie::task<> {
    EXPECT_TRUE(scope.reschedule(-1s));
    EXPECT_FALSE(scope.expired());
    co_await magpie::yield();
    ADD_FAILURE() << "it was not told";
  };
  EXPECT_EQ(outcome_of(limited(1000h, body)), "timeout");
  EXPECT_EQ(outcome_of(limited(magpie::no_limit, body)), "timeout");
}

TEST_P(reschedulable_with_timeout, that_is_over_cannot_be_rescheduled) {
  const auto body = [](timeout_scope& scope) -> magpie::task<> {
    std::exception_ptr stopped;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      stopped = std::current_exception();
    }
    EXPECT_TRUE(scope.expired());
    EXPECT_THROW(scope.reschedule(1000h), magpie::invalid_state);
    EXPECT_THROW(scope.reschedule(magpie::no_limit), magpie::invalid_state);
    std::rethrow_exception(stopped);
  };
  EXPECT_EQ(outcome_of(limited(0s, body)), "timeout");
  EXPECT_EQ(outcome_of(limited(1ms, body)), "timeout");
}

TEST_P(reschedulable_with_timeout, that_was_left_cannot_be_rescheduled) {
  const auto run = []() -> magpie::task<> {
    timeout_scope* left = nullptr;
    const auto body = [&left](timeout_scope& scope) -> magpie::task<> {
      left = &scope;
      co_await magpie::yield();
    };
    auto kept = magpie::with_timeout(1000h, body);
    co_await kept;
    EXPECT_FALSE(left->expired());
    EXPECT_THROW(left->reschedule(1h), magpie::invalid_state);
    EXPECT_THROW(left->reschedule(-1h), magpie::invalid_state);
    co_await magpie::yield();
  };
  runtime.block_on(run());
}

TEST_P(reschedulable_with_timeout, rescheduled_by_many_threads_is_over_once) {
  for (std::size_t round = 0; round < scaled(10'000); ++round) {
    published_scope published;
    std::atomic<int> left{3};
    int told = 0;
    const auto body = [&](timeout_scope& scope) -> magpie::task<> {
      published.publish(scope);
      // The scope has to stay until all have done with it.
      while (left != 0 || !scope.expired()) {
        try {
          co_await magpie::yield();
        } catch (const magpie::cancelled&) {
          ++told;
        }
      }
    };
    const auto reschedule = [&](magpie::duration from_now) -> magpie::task<> {
      while (published.scope == nullptr) co_await magpie::yield();
      try {
        for (int i = 0; i < 10; ++i) published.scope.load()->reschedule(from_now);
      } catch (const magpie::invalid_state&) {
      }
      --left;
    };
    const auto handle = runtime.spawn(outcome(limited(1000h, body)));
    const auto first = runtime.spawn(reschedule(10us));
    const auto second = runtime.spawn(reschedule(-1s));
    runtime.block_on(reschedule(0s));
    ASSERT_TRUE(ends(handle) && ends(first) && ends(second));
    ASSERT_EQ(handle.result(), "result");
    ASSERT_LE(told, 1);
  }
}

}  // namespace
