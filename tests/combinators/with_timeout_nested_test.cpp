#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <initializer_list>
#include <magpie/clock.hpp>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <string>
#include <thread>
#include <utility>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/outcome_text.hpp"
#include "support/tasks.hpp"
#include "support/timing_out.hpp"

// Timeouts within timeouts. Limits of hours are cut short by reschedule(); nobody waits for the
// long sleeps.

namespace {

using namespace std::chrono_literals;
using magpie::duration;
using magpie::timeout_scope;
using magpie::test::counted;
using magpie::test::limited;
using magpie::test::outcome;
using magpie::test::sleep_long;

class with_timeout_in_another : public magpie::test::timing_out {};
MAGPIE_FOR_EACH_RUNTIME(with_timeout_in_another);

// Rule 52: nested.

struct nested_outcome {
  std::string inner;
  std::string outer;
  bool inner_expired = false;
  bool outer_expired = false;
};

/// Two timeouts, one in the other, around a body that sets both deadlines.
template <class SetDeadlines>
magpie::task<nested_outcome> nest(SetDeadlines set) {
  nested_outcome all;
  const auto outer_body = [&](timeout_scope& outer) -> magpie::task<> {
    const auto inner_body = [&](timeout_scope& inner) -> magpie::task<> {
      std::exception_ptr stopped;
      try {
        set(outer, inner);
        co_await magpie::sleep_for(1000h);
      } catch (const magpie::cancelled&) {
        stopped = std::current_exception();
      }
      // Both are there in the order of their deadlines, which may differ by a moment.
      for (int i = 0; i < 1000 && !outer.expired(); ++i) co_await magpie::yield();
      all.inner_expired = inner.expired();
      all.outer_expired = outer.expired();
      std::rethrow_exception(std::move(stopped));
    };
    const auto inner_limited = [&]() -> magpie::task<> {
      co_await magpie::with_timeout(1000h, inner_body);
    };
    std::exception_ptr failure;
    try {
      co_await inner_limited();
    } catch (const magpie::timeout_error&) {
      all.inner = "timeout";
      failure = std::current_exception();
    } catch (const magpie::cancelled&) {
      all.inner = "cancelled";
      failure = std::current_exception();
    }
    if (failure && all.inner == "cancelled") std::rethrow_exception(std::move(failure));
  };
  all.outer = co_await outcome(limited(1000h, outer_body));
  co_await magpie::yield();
  co_return all;
}

void expect_both_and_the_outers(const nested_outcome& both) {
  EXPECT_EQ(both.inner, "cancelled");
  EXPECT_EQ(both.outer, "timeout");
  EXPECT_TRUE(both.inner_expired);
  EXPECT_TRUE(both.outer_expired);
}

TEST_P(with_timeout_in_another, nested_with_equal_deadlines_is_the_outers) {
  const auto in_the_past = [](timeout_scope& outer, timeout_scope& inner) {
    outer.reschedule(magpie::now() - 1s);
    inner.reschedule(magpie::now() - 1s);
  };
  const auto inner_first = [](timeout_scope& outer, timeout_scope& inner) {
    inner.reschedule(magpie::now() - 1s);
    outer.reschedule(magpie::now() - 1s);
  };
  expect_both_and_the_outers(runtime.block_on(nest(in_the_past)));
  expect_both_and_the_outers(runtime.block_on(nest(inner_first)));
}

/// Lets the timeouts expire while the caller computes. Returns false if the caller was held up for
/// so long that a deadline may have passed before it was set: that is told at the next suspension
/// only.
bool expire_in(duration ahead, std::initializer_list<timeout_scope*> limits) {
  const auto deadline = magpie::now() + ahead;
  for (timeout_scope* const each : limits) each->reschedule(deadline);
  if (magpie::now() >= deadline) return false;
  for (timeout_scope* const each : limits) {
    while (!each->expired()) std::this_thread::yield();
  }
  return true;
}

TEST_P(with_timeout_in_another, nested_that_expires_while_the_body_runs_is_the_outers) {
  if (is_virtual()) GTEST_SKIP() << "virtual time stands still while a task runs";
  bool was_in_time = false;
  for (duration ahead = 1ms; !was_in_time; ahead *= 2) {
    const auto expire = [&](timeout_scope& outer, timeout_scope& inner) {
      was_in_time = expire_in(ahead, {&inner, &outer});
    };
    const auto both = runtime.block_on(nest(expire));
    if (was_in_time) expect_both_and_the_outers(both);
  }
}

TEST_P(with_timeout_in_another, nested_with_the_inner_first_is_the_inners_alone) {
  const auto set = [](timeout_scope&, timeout_scope& inner) {
    inner.reschedule(magpie::now() - 1s);
  };
  const auto both = runtime.block_on(nest(set));
  EXPECT_EQ(both.inner, "timeout");
  EXPECT_EQ(both.outer, "result");
  EXPECT_TRUE(both.inner_expired);
  EXPECT_FALSE(both.outer_expired);
}

TEST_P(with_timeout_in_another, nested_with_the_outer_first_is_the_outers_alone) {
  const auto set = [](timeout_scope& outer, timeout_scope&) { outer.reschedule(1ms); };
  const auto both = runtime.block_on(nest(set));
  EXPECT_EQ(both.inner, "cancelled");
  EXPECT_EQ(both.outer, "timeout");
  EXPECT_FALSE(both.inner_expired);
  EXPECT_TRUE(both.outer_expired);
}

TEST_P(with_timeout_in_another, in_the_cleanup_within_a_timeout_that_is_over_is_its_own) {
  std::string inner;
  const auto inner_body = [](timeout_scope&) -> magpie::task<> { co_await sleep_long(); };
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    std::exception_ptr stopped;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      stopped = std::current_exception();
    }
    EXPECT_TRUE(scope.expired());
    inner = co_await outcome(limited(1ms, inner_body));
    std::rethrow_exception(std::move(stopped));
  };
  EXPECT_EQ(outcome_of(limited(1ms, body)), "timeout");
  EXPECT_EQ(inner, "timeout");
}

TEST_P(with_timeout_in_another, nested_with_the_outer_over_while_the_inner_ends_is_the_outers) {
  if (is_virtual()) GTEST_SKIP() << "time stands still while a task computes";
  bool was_in_time = false;
  for (duration ahead = 1ms; !was_in_time; ahead *= 2) {
    const auto outer_body = [&](timeout_scope& outer) -> magpie::task<> {
      const auto inner_body = [&](timeout_scope&) -> magpie::task<> {
        std::exception_ptr stopped;
        try {
          co_await sleep_long();
        } catch (const magpie::cancelled&) {
          stopped = std::current_exception();
        }
        was_in_time = expire_in(ahead, {&outer});  // it is not delivered any more in here
        std::rethrow_exception(std::move(stopped));
      };
      const std::string inner = co_await outcome(limited(1ms, inner_body));
      if (was_in_time) {
        EXPECT_EQ(inner, "cancelled");
      }
      throw magpie::cancelled();
    };
    const std::string outer = outcome_of(limited(1000h, outer_body));
    if (was_in_time) {
      EXPECT_EQ(outer, "timeout");
    }
  }
}

/// Each in the one before, down to depth 0, where the time of the one at depth `told` runs out.
magpie::task<> nest_deeply(int depth, int told, timeout_scope* told_scope, int& unwound) {
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    timeout_scope* const due = depth == told ? &scope : told_scope;
    if (depth == 0) {
      due->reschedule(1ms);
      co_await sleep_long();
    } else {
      co_await nest_deeply(depth - 1, told, due, unwound);
    }
  };
  const counted local;
  std::exception_ptr failure;
  try {
    co_await magpie::with_timeout(1000h, body);
  } catch (const magpie::cancelled&) {
    failure = std::current_exception();
    EXPECT_LT(depth, told);
  } catch (const magpie::timeout_error&) {
    EXPECT_EQ(depth, told);
  }
  ++unwound;
  if (failure) std::rethrow_exception(std::move(failure));
}

TEST_P(with_timeout_in_another, nested_deeply_ends_what_is_in_it_and_no_more) {
  constexpr int depth = 100;
  for (const int told : {0, 1, 31, 32, 33, 99, 100}) {
    int unwound = 0;
    runtime.block_on(nest_deeply(depth, told, nullptr, unwound));
    EXPECT_EQ(unwound, depth + 1);
  }
  EXPECT_EQ(counted::alive(), 0);
}

}  // namespace
