#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <magpie/checkpoint.hpp>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/outcome_text.hpp"
#include "support/tasks.hpp"
#include "support/timing_out.hpp"

// A timeout whose task or body is cancelled, fails or swallows its end. Nobody waits for the long
// sleeps.

namespace {

using namespace std::chrono_literals;
using magpie::timeout_scope;
using magpie::test::clean_up_slowly;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::limited;
using magpie::test::outcome;
using magpie::test::published_scope;
using magpie::test::sleep_long;

class cancellable_with_timeout : public magpie::test::timing_out {};
MAGPIE_FOR_EACH_RUNTIME(cancellable_with_timeout);

magpie::task<> cancel_itself_and_swallow(std::string_view reason) {
  magpie::current_task().cancel(reason);
  bool is_told = false;
  try {
    co_await magpie::yield();
  } catch (const magpie::cancelled&) {
    is_told = true;
  }
  EXPECT_TRUE(is_told);
}

// Rules 26 and 50: timeout_error only for `cancelled`, only when the time is over, and only when
// nobody else wants the task to end.

TEST_P(cancellable_with_timeout, passes_on_a_cancelled_while_it_has_time) {
  const auto body = [](timeout_scope&) -> magpie::task<> {
    co_await magpie::yield();
    throw magpie::cancelled("by itself");
  };
  EXPECT_EQ(outcome_of(limited(1h, body)), "cancelled: by itself");
}

TEST_P(cancellable_with_timeout, passes_on_other_errors_when_its_time_is_over) {
  const auto body = [](timeout_scope&) -> magpie::task<> {
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      throw std::runtime_error("while it ended");
    }
  };
  EXPECT_EQ(outcome_of(limited(1ms, body)), "while it ended");
  EXPECT_EQ(outcome_of(limited(0s, body)), "while it ended");
}

TEST_P(cancellable_with_timeout, cancelled_from_outside_in_time_is_cancelled) {
  std::atomic<bool> cleaned_up{false};
  published_scope published;
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    published.publish(scope);
    co_await clean_up_slowly(cleaned_up);
  };
  const auto handle = runtime.spawn(outcome(limited(1000h, body)));
  static_cast<void>(published.wait());
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "cancelled: enough");
  EXPECT_TRUE(cleaned_up);
}

TEST_P(cancellable_with_timeout, cancelled_from_outside_after_its_time_is_cancelled) {
  std::atomic<bool> told{false};
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    bool expired = false;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      expired = scope.expired();
    }
    EXPECT_TRUE(expired);
    told = true;
    co_await magpie::sleep_for(1000h);
  };
  const auto handle = runtime.spawn(outcome(limited(1ms, body)));
  EXPECT_TRUE(eventually([&] { return told.load(); }));
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "cancelled: enough");
}

TEST_P(cancellable_with_timeout, whose_time_is_over_after_a_cancel_is_cancelled) {
  std::atomic<bool> told{false};
  published_scope published;
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    published.publish(scope);
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      told = true;
    }
    co_await magpie::sleep_for(1000h);
  };
  const auto handle = runtime.spawn(outcome(limited(1000h, body)));
  timeout_scope& scope = published.wait();
  EXPECT_TRUE(handle.cancel("enough"));
  EXPECT_TRUE(eventually([&] { return told.load(); }));
  EXPECT_TRUE(scope.reschedule(runtime.now() - 1s));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result().substr(0, 9), "cancelled");
}

TEST_P(cancellable_with_timeout, that_hears_of_both_at_once_is_cancelled) {
  const auto body = [](timeout_scope& scope) -> magpie::task<> {
    scope.reschedule(0s);
    magpie::current_task().cancel("enough");
    co_await magpie::yield();
  };
  const auto run = [&]() -> magpie::task<> {
    const auto ended = co_await outcome(limited(1h, body));
    EXPECT_EQ(ended, "cancelled: enough");
    co_await magpie::yield();  // it has been told
  };
  runtime.block_on(run());
}

// The body hears only of the timeout, and then there is no suspension left to tell of the other.
TEST_P(cancellable_with_timeout, tells_the_task_of_a_cancel_that_its_body_has_not_heard_of) {
  const auto body = [](timeout_scope&) -> magpie::task<> {
    std::exception_ptr stopped;
    try {
      co_await magpie::yield();
    } catch (const magpie::cancelled&) {
      stopped = std::current_exception();
    }
    magpie::current_task().cancel("enough");
    std::rethrow_exception(std::move(stopped));
  };
  const auto run = [&]() -> magpie::task<> {
    const auto ended = co_await outcome(limited(0s, body));
    EXPECT_EQ(ended, "cancelled");
    EXPECT_EQ(co_await outcome(sleep_long()), "cancelled: enough");
    EXPECT_EQ(magpie::current_task().cancelling(), 1U);
  };
  runtime.block_on(run());
}

// The request was there before the timeout, but nobody had been told: it is not the timeout's.
TEST_P(cancellable_with_timeout, that_begins_with_a_cancel_pending_is_cancelled) {
  const auto run = []() -> magpie::task<std::string> {
    const auto body = [](timeout_scope&) -> magpie::task<> { co_await magpie::yield(); };
    magpie::current_task().cancel("enough");
    co_return co_await outcome(limited(0s, body));
  };
  EXPECT_EQ(runtime.block_on(run()), "cancelled: enough");
}

TEST_P(cancellable_with_timeout, in_the_cleanup_of_a_cancelled_task_is_a_timeout) {
  const auto run = []() -> magpie::task<std::string> {
    co_await cancel_itself_and_swallow("enough");
    const auto body = [](timeout_scope&) -> magpie::task<> { co_await sleep_long(); };
    const auto ended = co_await outcome(limited(1ms, body));
    EXPECT_EQ(magpie::current_task().cancelling(), 1U);
    co_return ended;
  };
  EXPECT_EQ(runtime.block_on(run()), "timeout");
}

// Rule 51: leaving restores the count, and what was swallowed is no error.

TEST_P(cancellable_with_timeout, whose_end_is_swallowed_gives_the_result) {
  const auto swallow = [](timeout_scope& scope) -> magpie::task<int> {
    int times_told = 0;
    for (int i = 0; i < 3; ++i) {
      try {
        co_await magpie::yield();
        co_await magpie::sleep_for(1us);
      } catch (const magpie::cancelled&) {
        ++times_told;
      }
    }
    EXPECT_TRUE(scope.expired());
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    co_return times_told;
  };
  const auto run = [&]() -> magpie::task<int> {
    const int times_told = co_await magpie::with_timeout(0s, swallow);
    co_await magpie::yield();
    co_await magpie::checkpoint();
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    co_return times_told;
  };
  EXPECT_EQ(runtime.block_on(run()), 1);
}

TEST_P(cancellable_with_timeout, leaves_the_task_uncancelled) {
  const auto body = [](timeout_scope&) -> magpie::task<> { co_await sleep_long(); };
  const auto run = [&]() -> magpie::task<> {
    for (int i = 0; i < 20; ++i) {
      const auto ended = co_await outcome(limited(100us, body));
      EXPECT_EQ(ended, "timeout");
      EXPECT_EQ(magpie::current_task().cancelling(), 0U);
      co_await magpie::yield();
      co_await magpie::sleep_for(1us);
      co_await magpie::checkpoint();
    }
  };
  runtime.block_on(run());
}

// What a timeout forwards has no reason, whatever the task was cancelled for before.

TEST_P(cancellable_with_timeout, passes_no_older_reason_on) {
  const auto forward = [](magpie::duration limit) -> magpie::task<std::string> {
    co_await cancel_itself_and_swallow("older");
    std::atomic<bool> begun{false};
    const auto begin_and_swallow = [&begun]() -> magpie::task<std::string> {
      begun = true;
      co_return co_await magpie::test::swallow();
    };
    auto target = magpie::spawn(begin_and_swallow());
    while (!begun) co_await magpie::yield();
    const auto body = [&](timeout_scope&) -> magpie::task<std::string> {
      co_return co_await target;
    };
    co_return co_await magpie::with_timeout(limit, body);
  };
  for (const magpie::duration limit : {magpie::duration(0), magpie::duration(1ms)}) {
    const auto handle = runtime.spawn(forward(limit));
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(handle.result(), "");
  }
}

}  // namespace
