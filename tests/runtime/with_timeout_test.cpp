#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <magpie/checkpoint.hpp>
#include <magpie/errors.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

// Limits of hours are cut short by reschedule(); nobody waits for the long sleeps.

namespace {

using namespace std::chrono_literals;
using magpie::timeout_scope;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::scaled;

template <class Handle>
[[nodiscard]] bool ends(const Handle& handle) {
  return eventually([&] { return handle.done(); });
}

magpie::task<> sleep_long() { co_await magpie::sleep_for(1000h); }

/// What comes of a task: "result", "timeout", "cancelled" with the reason, or what() of an error.
template <class T>
magpie::task<std::string> outcome(magpie::task<T> body) {
  try {
    co_await std::move(body);
  } catch (const magpie::timeout_error&) {
    co_return "timeout";
  } catch (const magpie::cancelled& stopped) {
    co_return "cancelled" + (stopped.reason().empty() ? "" : ": " + stopped.reason());
  } catch (const std::exception& error) {
    co_return error.what();
  }
  co_return "result";
}

/// A timeout around `body`, which is there as long as this runs, as a lazy task.
template <class Limit, class Body>
magpie::task<> limited(Limit limit, Body& body) {
  co_await magpie::with_timeout(limit, std::ref(body));
}

/// Sleeps until it is told to end; then has others go on, says so, and passes it on.
magpie::task<> clean_up_slowly(std::atomic<bool>& cleaned_up) {
  const counted local;
  std::exception_ptr stopped;
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled&) {
    stopped = std::current_exception();
  }
  for (int i = 0; i < 20; ++i) co_await magpie::yield();
  cleaned_up = true;
  std::rethrow_exception(std::move(stopped));
}

/// Where a body leaves its scope for others.
struct published_scope {
  void publish(timeout_scope& own) { scope = &own; }
  [[nodiscard]] timeout_scope& wait() const {
    EXPECT_TRUE(eventually([&] { return scope.load() != nullptr; }));
    return *scope;
  }

  std::atomic<timeout_scope*> scope{nullptr};
};

class with_timeout : public magpie::test::on_each_runtime {
 protected:
  template <class T>
  std::string outcome_of(magpie::task<T> body) {
    return runtime.block_on(outcome(std::move(body)));
  }
};
MAGPIE_FOR_EACH_RUNTIME(with_timeout);

class with_timeout_by_the_clock : public with_timeout {};
MAGPIE_FOR_EACH_WORKER_COUNT(with_timeout_by_the_clock);

TEST_P(with_timeout, gives_what_the_body_gives) {
  int place = 1;
  const auto refer = [&place](timeout_scope&) -> magpie::task<int&> { co_return place; };
  const auto own = [](timeout_scope&) -> magpie::task<std::unique_ptr<int>> {
    co_await magpie::yield();
    co_return std::make_unique<int>(7);
  };
  const auto nothing = [](timeout_scope&) -> magpie::task<> { co_return; };
  const auto run = [&]() -> magpie::task<> {
    int& referred = co_await magpie::with_timeout(1h, refer);
    EXPECT_EQ(&referred, &place);
    const auto owned = co_await magpie::with_timeout(magpie::no_limit, own);
    EXPECT_EQ(*owned, 7);
    co_await magpie::with_timeout(1h, nothing);
  };
  runtime.block_on(run());
}

TEST_P(with_timeout, takes_a_body_that_can_only_be_moved) {
  const auto run = []() -> magpie::task<int> {
    auto body = [kept = std::make_unique<int>(8)](timeout_scope&) -> magpie::task<int> {
      co_await magpie::yield();
      co_return *kept;
    };
    co_return co_await magpie::with_timeout(1h, std::move(body));
  };
  EXPECT_EQ(runtime.block_on(run()), 8);
}

TEST_P(with_timeout, is_over_at_the_deadline_and_not_before) {
  std::atomic<bool> cleaned_up{false};
  magpie::time_point deadline;
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    EXPECT_FALSE(scope.expired());
    deadline = scope.deadline().value_or(magpie::time_point::max());
    co_await clean_up_slowly(cleaned_up);
  };
  EXPECT_EQ(outcome_of(limited(1ms, body)), "timeout");
  EXPECT_GE(runtime.now(), deadline);
  EXPECT_TRUE(cleaned_up);
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(with_timeout, passes_on_what_the_making_of_the_body_throws) {
  const auto broken = [](timeout_scope&) -> magpie::task<> { throw std::runtime_error("broken"); };
  const auto empty = [](timeout_scope&) -> magpie::task<int> {
    auto moved_from = give(1);
    const auto taken = std::move(moved_from);
    return moved_from;
  };
  const auto run = [&]() -> magpie::task<> {
    const auto first = co_await outcome(limited(1h, broken));
    EXPECT_EQ(first, "broken");
    const auto second = co_await outcome(limited(1h, empty));
    EXPECT_NE(second, "result");
    EXPECT_FALSE(magpie::current_deadline().has_value());
  };
  runtime.block_on(run());
}

TEST(with_timeout_misuse, outside_of_a_task_is_an_error) {
  const auto body = [](timeout_scope&) -> magpie::task<> { co_return; };
  const auto unstarted = magpie::with_timeout(1h, body);
  EXPECT_THROW(static_cast<void>(unstarted.await_ready()), magpie::invalid_state);
}

// Rules 26 and 50: timeout_error only for `cancelled`, only when the time is over, and only when
// nobody else wants the task to end.

TEST_P(with_timeout, passes_on_a_cancelled_while_it_has_time) {
  const auto body = [](timeout_scope&) -> magpie::task<> {
    co_await magpie::yield();
    throw magpie::cancelled("by itself");
  };
  EXPECT_EQ(outcome_of(limited(1h, body)), "cancelled: by itself");
}

TEST_P(with_timeout, passes_on_other_errors_when_its_time_is_over) {
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

TEST_P(with_timeout, cancelled_from_outside_in_time_is_cancelled) {
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

TEST_P(with_timeout, cancelled_from_outside_after_its_time_is_cancelled) {
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

TEST_P(with_timeout, whose_time_is_over_after_a_cancel_is_cancelled) {
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

TEST_P(with_timeout, that_hears_of_both_at_once_is_cancelled) {
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
TEST_P(with_timeout, tells_the_task_of_a_cancel_that_its_body_has_not_heard_of) {
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
    EXPECT_EQ(ended.substr(0, 9), "cancelled");
    co_await magpie::yield();
    EXPECT_EQ(magpie::current_task().cancelling(), 1U);
  };
  runtime.block_on(run());
}

// The request was there before the timeout, but nobody had been told: it is not the timeout's.
TEST_P(with_timeout, that_begins_with_a_cancel_pending_is_cancelled) {
  const auto run = []() -> magpie::task<std::string> {
    const auto body = [](timeout_scope&) -> magpie::task<> { co_await magpie::yield(); };
    magpie::current_task().cancel("enough");
    co_return co_await outcome(limited(0s, body));
  };
  EXPECT_EQ(runtime.block_on(run()), "cancelled: enough");
}

TEST_P(with_timeout, in_the_cleanup_of_a_cancelled_task_is_a_timeout) {
  const auto run = []() -> magpie::task<std::string> {
    magpie::current_task().cancel("enough");
    bool told = false;
    try {
      co_await magpie::yield();
    } catch (const magpie::cancelled&) {
      told = true;
    }
    EXPECT_TRUE(told);
    const auto body = [](timeout_scope&) -> magpie::task<> { co_await sleep_long(); };
    const auto ended = co_await outcome(limited(1ms, body));
    EXPECT_EQ(magpie::current_task().cancelling(), 1U);
    co_return ended;
  };
  EXPECT_EQ(runtime.block_on(run()), "timeout");
}

// Rule 51: leaving restores the count, and what was swallowed is no error.

TEST_P(with_timeout, whose_end_is_swallowed_gives_the_result) {
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

TEST_P(with_timeout, leaves_the_task_uncancelled) {
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

TEST_P(with_timeout, nested_with_equal_deadlines_is_the_outers) {
  const auto in_the_past = [](timeout_scope& outer, timeout_scope& inner) {
    outer.reschedule(magpie::now() - 1s);
    inner.reschedule(magpie::now() - 1s);
  };
  const auto inner_first = [](timeout_scope& outer, timeout_scope& inner) {
    inner.reschedule(magpie::now() - 1s);
    outer.reschedule(magpie::now() - 1s);
  };
  const auto at_once = [](timeout_scope& outer, timeout_scope& inner) {
    const auto deadline = magpie::now() + 1ms;
    inner.reschedule(deadline);
    outer.reschedule(deadline);
    while (!inner.expired() || !outer.expired()) std::this_thread::yield();
  };
  const auto check = [this](auto set) {
    const auto both = runtime.block_on(nest(set));
    EXPECT_EQ(both.inner, "cancelled");
    EXPECT_EQ(both.outer, "timeout");
    EXPECT_TRUE(both.inner_expired);
    EXPECT_TRUE(both.outer_expired);
  };
  check(in_the_past);
  check(inner_first);
  if (!is_virtual()) check(at_once);  // virtual time stands still while a task runs
}

TEST_P(with_timeout, nested_with_the_inner_first_is_the_inners_alone) {
  const auto set = [](timeout_scope&, timeout_scope& inner) {
    inner.reschedule(magpie::now() - 1s);
  };
  const auto both = runtime.block_on(nest(set));
  EXPECT_EQ(both.inner, "timeout");
  EXPECT_EQ(both.outer, "result");
  EXPECT_TRUE(both.inner_expired);
  EXPECT_FALSE(both.outer_expired);
}

TEST_P(with_timeout, nested_with_the_outer_first_is_the_outers_alone) {
  const auto set = [](timeout_scope& outer, timeout_scope&) { outer.reschedule(1ms); };
  const auto both = runtime.block_on(nest(set));
  EXPECT_EQ(both.inner, "cancelled");
  EXPECT_EQ(both.outer, "timeout");
  EXPECT_FALSE(both.inner_expired);
  EXPECT_TRUE(both.outer_expired);
}

TEST_P(with_timeout, in_the_cleanup_within_a_timeout_that_is_over_is_its_own) {
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

TEST_P(with_timeout, nested_deeply_ends_what_is_in_it_and_no_more) {
  constexpr int depth = 100;
  for (const int told : {0, 1, 31, 32, 33, 99, 100}) {
    int unwound = 0;
    runtime.block_on(nest_deeply(depth, told, nullptr, unwound));
    EXPECT_EQ(unwound, depth + 1);
  }
  EXPECT_EQ(counted::alive(), 0);
}

// Rule 53: a deadline that has passed is told at the first suspension; without one, never.

TEST_P(with_timeout, without_time_is_told_at_the_first_suspension) {
  std::atomic<bool> begun{false};
  std::atomic<bool> went_on{false};
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    begun = true;
    EXPECT_TRUE(scope.expired());
    co_await sleep_long();
    went_on = true;
  };
  EXPECT_EQ(outcome_of(limited(0s, body)), "timeout");
  EXPECT_TRUE(begun);
  EXPECT_EQ(outcome_of(limited(-1h, body)), "timeout");
  EXPECT_FALSE(went_on);
}

TEST_P(with_timeout, without_time_lets_a_body_pass_that_does_not_suspend) {
  const auto body = [](timeout_scope&) -> magpie::task<int> {
    co_return co_await magpie::test::give(3);
  };
  const auto run = [&]() -> magpie::task<> {
    for (int i = 0; i < 10; ++i) {
      const int given = co_await magpie::with_timeout(0s, body);
      EXPECT_EQ(given, 3);
      co_await magpie::yield();
      co_await magpie::checkpoint();
      EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    }
  };
  runtime.block_on(run());
}

TEST_P(with_timeout_by_the_clock,
       that_is_over_during_a_computation_is_told_at_its_next_suspension) {
  const auto body = [](timeout_scope& scope) -> magpie::task<> {
    EXPECT_TRUE(eventually([&] { return scope.expired(); }));
    EXPECT_GE(magpie::now(), *scope.deadline());
    co_await magpie::yield();
    ADD_FAILURE() << "it was not told";
  };
  EXPECT_EQ(outcome_of(limited(1ms, body)), "timeout");
}

// Rule 54: reschedule.

TEST_P(with_timeout, rescheduled_from_a_foreign_thread_to_the_past_is_over) {
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

TEST_P(with_timeout, rescheduled_by_another_task_to_an_earlier_moment_is_over_then) {
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

TEST_P(with_timeout, rescheduled_to_later_or_never_goes_on) {
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

TEST_P(with_timeout, rescheduled_by_its_own_body_to_the_past_is_told_at_the_next_suspension) {
  const auto body = [](timeout_scope& scope) -> magpie::task<> {
    EXPECT_TRUE(scope.reschedule(-1s));
    EXPECT_TRUE(scope.expired());
    co_await magpie::yield();
    ADD_FAILURE() << "it was not told";
  };
  EXPECT_EQ(outcome_of(limited(1000h, body)), "timeout");
  EXPECT_EQ(outcome_of(limited(magpie::no_limit, body)), "timeout");
}

TEST_P(with_timeout, that_is_over_cannot_be_rescheduled) {
  const auto body = [](timeout_scope& scope) -> magpie::task<> {
    EXPECT_TRUE(scope.expired());
    EXPECT_THROW(scope.reschedule(1000h), magpie::invalid_state);
    EXPECT_THROW(scope.reschedule(magpie::no_limit), magpie::invalid_state);
    co_await magpie::yield();
  };
  EXPECT_EQ(outcome_of(limited(0s, body)), "timeout");
}

TEST_P(with_timeout, that_was_left_cannot_be_rescheduled) {
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

TEST_P(with_timeout, rescheduled_by_many_threads_is_over_once) {
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

// Rule 55: the earliest of all deadlines around the caller.

TEST_P(with_timeout, tells_the_deadline_in_effect) {
  const auto run = []() -> magpie::task<> {
    EXPECT_EQ(magpie::current_deadline(), std::nullopt);
    std::optional<magpie::time_point> of_outer;
    const auto inner_body = [&](timeout_scope& inner) -> magpie::task<> {
      EXPECT_GT(*inner.deadline(), *of_outer);
      EXPECT_EQ(magpie::current_deadline(), of_outer);
      co_await magpie::yield();
      EXPECT_EQ(magpie::current_deadline(), of_outer);
      inner.reschedule(1h);
      EXPECT_EQ(magpie::current_deadline(), inner.deadline());
      const auto ask = []() -> magpie::task<std::optional<magpie::time_point>> {
        co_await magpie::yield();
        co_return magpie::current_deadline();
      };
      const auto asked = co_await ask();
      EXPECT_EQ(asked, inner.deadline());
      // What is spawned is a task of its own.
      const auto of_spawned = co_await magpie::spawn(ask());
      EXPECT_EQ(of_spawned, std::nullopt);
    };
    const auto outer_body = [&](timeout_scope& outer) -> magpie::task<> {
      of_outer = outer.deadline();
      EXPECT_EQ(magpie::current_deadline(), of_outer);
      co_await magpie::with_timeout(3h, inner_body);
      EXPECT_EQ(magpie::current_deadline(), of_outer);
      outer.reschedule(magpie::no_limit);
      EXPECT_EQ(magpie::current_deadline(), std::nullopt);
    };
    co_await magpie::with_timeout(2h, outer_body);
    EXPECT_EQ(magpie::current_deadline(), std::nullopt);
  };
  runtime.block_on(run());
}

// What runs within: tasks whose handles are awaited.

TEST_P(with_timeout, passes_its_end_on_to_an_awaited_task) {
  std::atomic<bool> cleaned_up{false};
  const auto target = runtime.spawn(clean_up_slowly(cleaned_up));
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    scope.reschedule(1ms);
    co_await target;
  };
  EXPECT_EQ(outcome_of(limited(1000h, body)), "timeout");
  EXPECT_TRUE(target.done());
}

TEST(with_timeout_and_the_runtime, ends_with_it_but_not_by_a_timeout) {
  magpie::task_handle<std::string> sleeper;
  std::atomic<bool> begun{false};
  bool expired = true;
  const auto body = [&](timeout_scope& scope) -> magpie::task<> {
    begun = true;
    std::exception_ptr stopped;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      stopped = std::current_exception();
    }
    expired = scope.expired();
    std::rethrow_exception(std::move(stopped));
  };
  {
    magpie::runtime runtime{{.workers = 2}};
    const auto run = [&]() -> magpie::task<std::string> {
      co_return co_await outcome(limited(2000h, body));
    };
    sleeper = runtime.spawn(run());
    EXPECT_TRUE(eventually([&] { return begun.load(); }));
  }
  EXPECT_FALSE(expired);
  EXPECT_TRUE(sleeper.cancelled() || sleeper.result().substr(0, 9) == "cancelled");
}

// Rule 48: the body ends just when the time is over. One of the two wins, and the loser is undone.

/// Finds the moment at which both sides win as often: a step towards the other side each time, a
/// longer one when that was not enough.
class balance {
 public:
  [[nodiscard]] magpie::duration offset() const noexcept { return offset_; }

  void note(bool was_late) noexcept {
    step_ = was_late == was_late_before_ ? std::min<magpie::duration>(2 * step_, 100us)
                                         : std::max<magpie::duration>(step_ / 2, 50ns);
    was_late_before_ = was_late;
    offset_ = std::clamp<magpie::duration>(offset_ + (was_late ? -step_ : step_), -50us, 100ms);
    ++(was_late ? late : in_time);
  }

  std::size_t late = 0;
  std::size_t in_time = 0;

 private:
  magpie::duration offset_{0};
  magpie::duration step_{1us};
  bool was_late_before_ = false;
};

/// Fails when the task hears of anything.
magpie::task<> expect_undisturbed() {
  EXPECT_EQ(magpie::current_deadline(), std::nullopt);
  EXPECT_EQ(magpie::current_task().cancelling(), 0U);
  co_await magpie::yield();
  co_await magpie::checkpoint();
}

/// The body does not suspend: it ends in time, or has not noticed.
magpie::task<> end_a_computation_at_the_deadline(std::size_t rounds, balance& sides) {
  const counted local;
  for (std::size_t i = 0; i < rounds && !testing::Test::HasFailure(); ++i) {
    bool expired = false;
    const auto body = [&](timeout_scope& scope) -> magpie::task<counted> {
      const auto end = *scope.deadline() + sides.offset();
      while (magpie::clock::now() < end) {
      }
      expired = scope.expired();
      co_return counted(4);
    };
    const auto given = co_await magpie::with_timeout(70us, body);
    EXPECT_EQ(given.value, 4);
    sides.note(expired);
    co_await expect_undisturbed();
  }
}

/// The body sleeps until the same deadline, and so is woken either by its own timer or by the end
/// of its time.
magpie::task<> end_a_sleep_at_the_deadline(std::size_t rounds) {
  const counted local;
  for (std::size_t i = 0; i < rounds && !testing::Test::HasFailure(); ++i) {
    bool finished = false;
    const auto body = [&](timeout_scope& scope) -> magpie::task<> {
      const counted inner;
      co_await magpie::sleep_until(*scope.deadline());
      finished = true;
    };
    const auto ended = co_await outcome(limited(70us, body));
    EXPECT_EQ(ended, finished ? "result" : "timeout");
    co_await expect_undisturbed();
  }
}

template <class T>
magpie::task<> await_end_of(magpie::task_handle<T> handle) {
  co_await handle;
}

/// The body awaits a task that ends at about that time, on any worker.
magpie::task<> end_a_task_at_the_deadline(std::size_t rounds) {
  const counted local;
  for (std::size_t i = 0; i < rounds && !testing::Test::HasFailure(); ++i) {
    const auto nap = [](magpie::time_point until) -> magpie::task<counted> {
      co_await magpie::sleep_until(until);
      co_return counted(5);
    };
    magpie::task_handle<counted> target;
    const auto body = [&](timeout_scope& scope) -> magpie::task<> {
      target = magpie::spawn(nap(*scope.deadline()));
      co_await target;
    };
    const auto ended = co_await outcome(limited(70us, body));
    // The time may have been over before the body came to await the task: then that runs on.
    std::string nap_ended = "cancelled";
    if (target) nap_ended = co_await outcome(await_end_of(target));
    if (ended == "timeout") {
      EXPECT_TRUE(nap_ended == "cancelled" || nap_ended == "result");
    } else {
      EXPECT_EQ(ended, "result");
      EXPECT_EQ(nap_ended, "result");
    }
    co_await expect_undisturbed();
  }
}

class timeout_race : public magpie::test::each_worker_count {};
MAGPIE_FOR_EACH_WORKER_COUNT(timeout_race);

TEST_P(timeout_race, of_the_body_and_the_clock_has_one_winner) {
  const auto frames_before = magpie::frame_statistics().live;
  const std::size_t rounds = scaled(25'000) / GetParam() + 100;
  std::vector<balance> sides(GetParam());
  {
    magpie::runtime runtime{{.workers = GetParam()}};
    std::vector<magpie::task_handle<>> racers;
    for (balance& each : sides) {
      racers.push_back(runtime.spawn(end_a_computation_at_the_deadline(rounds, each)));
      racers.push_back(runtime.spawn(end_a_sleep_at_the_deadline(rounds)));
      racers.push_back(runtime.spawn(end_a_task_at_the_deadline(rounds)));
    }
    for (const auto& each : racers) {
      ASSERT_TRUE(eventually([&] { return each.done(); }));
      each.result();
    }
  }
  std::size_t late = 0;
  std::size_t in_time = 0;
  for (const balance& each : sides) {
    late += each.late;
    in_time += each.in_time;
  }
  EXPECT_GE(late, (late + in_time) / 20) << "of " << late + in_time;
  EXPECT_GE(in_time, (late + in_time) / 20) << "of " << late + in_time;
  EXPECT_EQ(counted::alive(), 0);
  EXPECT_EQ(magpie::frame_statistics().live, frames_before);
}

}  // namespace
