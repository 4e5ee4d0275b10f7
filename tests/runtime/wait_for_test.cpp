#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
#include <magpie/errors.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/tasks.hpp"

// Nobody waits for the long sleeps: they are cancelled.

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::stop;

using floating = std::chrono::duration<double>;

template <class Handle>
[[nodiscard]] bool ends(const Handle& handle) {
  return eventually([&] { return handle.done(); });
}

/// What comes of an awaited timeout: "result", "timeout", "cancelled", or what() of an error.
template <class Limited>
magpie::task<std::string> outcome(Limited limited) {
  try {
    co_await std::move(limited);
  } catch (const magpie::timeout_error&) {
    co_return "timeout";
  } catch (const magpie::cancelled& stopped) {
    co_return "cancelled" + (stopped.reason().empty() ? "" : ": " + stopped.reason());
  } catch (const std::exception& error) {
    co_return error.what();
  }
  co_return "result";
}

/// The same for a lazy task, which wait_for() runs in the calling task.
template <class T, class Limit>
magpie::task<std::string> outcome_within(magpie::task<T> body, Limit limit) {
  const auto wait = [&body, limit]() -> magpie::task<> {
    co_await magpie::wait_for(std::move(body), limit);
  };
  co_return co_await outcome(wait());
}

magpie::task<int> sleep_and_give(int value) {
  co_await magpie::sleep_for(1000h);
  co_return value;
}

/// Takes some time to end when it is cancelled, and says when it begins and ends.
struct slow_target {
  magpie::task<int> run() {
    const counted local;
    ++begun;
    std::exception_ptr stopped;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      stopped = std::current_exception();
    }
    for (int i = 0; i < 20; ++i) co_await magpie::yield();
    ended = true;
    std::rethrow_exception(std::move(stopped));
  }

  std::atomic<int> begun{0};
  std::atomic<bool> ended{false};
};

/// Cleans up until it is asked a second time.
struct stubborn_target {
  magpie::task<int> run() {
    bool told = false;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      told = true;
    }
    is_cleaning_up = told;
    co_await magpie::sleep_for(1000h);
    co_return 0;
  }

  std::atomic<bool> is_cleaning_up{false};
};

magpie::task<int> swallow_and_give(int value) {
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled&) {
    co_return value;
  }
  co_return 0;
}

magpie::task<int> swallow_and_fail() {
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled&) {
    throw std::runtime_error("while it ended");
  }
  co_return 0;
}

class wait_for : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(wait_for);

class wait_for_on_one_thread : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_SINGLE_THREAD(wait_for_on_one_thread);

// Rule 43: no limit, no timeout; the awaited task runs in the caller's.

TEST_P(wait_for, runs_a_lazy_task_within_the_caller) {
  const auto name_itself = []() -> magpie::task<magpie::any_task_handle> {
    co_await magpie::yield();
    co_return magpie::current_task();
  };
  const auto compare = [&]() -> magpie::task<bool> {
    const auto unlimited = co_await magpie::wait_for(name_itself(), magpie::no_limit);
    const auto limited = co_await magpie::wait_for(name_itself(), 1h);
    co_return unlimited == magpie::current_task() && limited == magpie::current_task();
  };
  EXPECT_TRUE(runtime.block_on(compare()));
}

TEST_P(wait_for, with_no_limit_or_a_huge_one_has_no_deadline) {
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

TEST_P(wait_for, with_no_limit_awaits_a_spawned_task) {
  const auto wait = [this]() -> magpie::task<int> {
    const auto spawned = runtime.spawn(give_after_yields(4, 10));
    co_return co_await magpie::wait_for(spawned, magpie::no_limit);
  };
  EXPECT_EQ(runtime.block_on(wait()), 4);
}

TEST_P(wait_for, gives_results_of_every_kind) {
  int place = 1;
  const auto refer = [&place]() -> magpie::task<int&> { co_return place; };
  const auto own = []() -> magpie::task<std::unique_ptr<int>> {
    co_return std::make_unique<int>(7);
  };
  const auto nothing = []() -> magpie::task<> { co_return; };
  const auto wait = [&]() -> magpie::task<> {
    int& referred = co_await magpie::wait_for(refer(), 1h);
    EXPECT_EQ(&referred, &place);
    const auto owned = co_await magpie::wait_for(own(), 1h);
    EXPECT_EQ(*owned, 7);
    co_await magpie::wait_for(nothing(), 1h);

    int& from_handle = co_await magpie::wait_for(magpie::spawn(refer()), 1h);
    EXPECT_EQ(&from_handle, &place);
    const auto last = co_await magpie::wait_for(magpie::spawn(own()), 1h);
    EXPECT_EQ(*last, 7);
    co_await magpie::wait_for(magpie::spawn(nothing()), 1h);
    const auto shared = magpie::spawn(give(3));
    const int copy = co_await magpie::wait_for(shared, 1h);
    EXPECT_EQ(copy, 3);
    EXPECT_EQ(shared.result(), 3);
  };
  runtime.block_on(wait());
}

TEST_P(wait_for, passes_errors_on) {
  EXPECT_EQ(runtime.block_on(outcome_within(fail("broken"), 1h)), "broken");
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(runtime.spawn(fail("broken")), 1h))),
            "broken");
}

// Rule 50: only what it did itself is a timeout.
TEST_P(wait_for, passes_on_a_cancellation_that_is_not_its_own) {
  EXPECT_EQ(runtime.block_on(outcome_within(stop("by itself"), 1h)), "cancelled: by itself");
  const auto stopped = runtime.spawn(stop("by itself"));
  ASSERT_TRUE(ends(stopped));
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(stopped, 1h))), "cancelled: by itself");
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(stopped, 0s))), "cancelled: by itself");

  const auto target = runtime.spawn(sleep_and_give(1));
  const auto waiting = runtime.spawn(outcome(magpie::wait_for(target, 1h)));
  target.cancel("from elsewhere");
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result(), "cancelled: from elsewhere");
  EXPECT_EQ(waiting.cancelling(), 0U);
}

// Rule 44: at the limit the target is cancelled and awaited to its end; then timeout_error.

TEST_P(wait_for, ends_a_lazy_task_at_the_limit) {
  slow_target target;
  const auto begin = runtime.now();
  EXPECT_EQ(runtime.block_on(outcome_within(target.run(), 1ms)), "timeout");
  EXPECT_GE(runtime.now() - begin, 1ms);
  EXPECT_TRUE(target.ended) << "it is awaited to its end";
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(wait_for, ends_a_spawned_task_at_the_limit) {
  slow_target target;
  const auto handle = runtime.spawn(target.run());
  ASSERT_TRUE(eventually([&] { return target.begun == 1; }));
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(handle, 1ms))), "timeout");
  EXPECT_TRUE(target.ended);
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(handle.cancelling(), 1U);
}

// The time may be over before the wait has begun; that is no reason to leave the target alone.
TEST_P(wait_for, ends_a_spawned_task_at_a_limit_that_is_over_at_once) {
  for (int i = 0; i < 300; ++i) {
    const auto target = runtime.spawn(sleep_and_give(1));
    ASSERT_EQ(runtime.block_on(outcome(magpie::wait_for(target, magpie::duration(1)))), "timeout");
    ASSERT_TRUE(target.cancelled());
  }
}

TEST_P(wait_for, leaves_the_caller_uncancelled) {
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

TEST_P(wait_for, ends_a_spawned_task_for_all_that_await_it) {
  const auto target = runtime.spawn(sleep_and_give(1));
  const auto other = runtime.spawn(outcome(magpie::wait_for(target, magpie::no_limit)));
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(target, 1ms))), "timeout");
  ASSERT_TRUE(ends(other));
  EXPECT_EQ(other.result(), "cancelled");
}

// Rule 45: with no time at all, what is done counts, and what has not started never does.

TEST_P(wait_for, does_not_begin_a_lazy_task_without_time) {
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

TEST_P(wait_for, destroys_what_it_does_not_begin) {
  const auto hold = [](counted argument) -> magpie::task<int> { co_return argument.value; };
  EXPECT_EQ(runtime.block_on(outcome_within(hold(counted(1)), 0s)), "timeout");
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(wait_for, without_time_gives_the_result_of_a_task_that_is_done) {
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

TEST_P(wait_for, without_time_awaits_the_end_of_a_task_that_has_begun) {
  slow_target target;
  const auto handle = runtime.spawn(target.run());
  ASSERT_TRUE(eventually([&] { return target.begun == 1; }));
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(handle, 0s))), "timeout");
  EXPECT_TRUE(target.ended);
  EXPECT_TRUE(handle.cancelled());
}

// Rule 46: what the target makes of its cancellation is passed on.

TEST_P(wait_for, passes_on_what_the_target_gives_instead) {
  const auto lazy = []() -> magpie::task<int> {
    co_return co_await magpie::wait_for(swallow_and_give(9), 1ms);
  };
  EXPECT_EQ(runtime.block_on(lazy()), 9);
  EXPECT_EQ(runtime.block_on(outcome_within(swallow_and_fail(), 1ms)), "while it ended");

  const auto sleeps = [](std::atomic<bool>& begun) -> magpie::task<int> {
    begun = true;
    co_return co_await swallow_and_give(9);
  };
  for (const magpie::duration limit : {magpie::duration(1ms), magpie::duration(0)}) {
    std::atomic<bool> begun{false};
    const auto target = runtime.spawn(sleeps(begun));
    ASSERT_TRUE(eventually([&] { return begun.load(); }));
    const auto spawned = [&]() -> magpie::task<int> {
      co_return co_await magpie::wait_for(target, limit);
    };
    EXPECT_EQ(runtime.block_on(spawned()), 9);
    EXPECT_FALSE(target.cancelled());
  }
  EXPECT_EQ(runtime.block_on(outcome(magpie::wait_for(runtime.spawn(swallow_and_fail()), 100ms))),
            "while it ended");
}

// Rule 47: a cancellation from outside reaches the target, which is awaited.

TEST_P(wait_for, passes_a_cancellation_on_to_a_lazy_task) {
  slow_target target;
  const auto waiting = runtime.spawn(outcome_within(target.run(), 1h));
  ASSERT_TRUE(eventually([&] { return target.begun == 1; }));
  EXPECT_TRUE(waiting.cancel("enough"));
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result(), "cancelled: enough");
  EXPECT_TRUE(target.ended);
}

TEST_P(wait_for, passes_a_cancellation_on_to_a_spawned_task) {
  slow_target target;
  const auto handle = runtime.spawn(target.run());
  const auto waiting = runtime.spawn(outcome(magpie::wait_for(handle, 1000h)));
  // Both are suspended: a request that comes before the wait does not concern the target.
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(waiting.cancel("enough"));
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result().substr(0, 9), "cancelled");
  EXPECT_TRUE(target.ended);
  EXPECT_TRUE(handle.cancelled());
}

// Rules 47 and 50: the limit has passed, and then somebody cancels the caller as well.

TEST_P(wait_for, of_a_lazy_task_is_cancelled_by_a_request_after_the_limit) {
  stubborn_target target;
  const auto waiting = runtime.spawn(outcome_within(target.run(), 1ms));
  ASSERT_TRUE(eventually([&] { return target.is_cleaning_up.load(); }));
  EXPECT_TRUE(waiting.cancel("enough"));
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result().substr(0, 9), "cancelled");
  EXPECT_EQ(waiting.cancelling(), 1U);
}

TEST_P(wait_for, of_a_spawned_task_is_cancelled_by_a_request_after_the_limit) {
  stubborn_target target;
  const auto handle = runtime.spawn(target.run());
  const auto waiting = runtime.spawn(outcome(magpie::wait_for(handle, 1ms)));
  ASSERT_TRUE(eventually([&] { return target.is_cleaning_up.load(); }));
  EXPECT_TRUE(waiting.cancel("enough"));
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result().substr(0, 9), "cancelled");
}

TEST_P(wait_for, without_time_is_cancelled_by_a_request_while_the_target_ends) {
  stubborn_target target;
  std::atomic<bool> begun{false};
  const auto run = [&]() -> magpie::task<int> {
    begun = true;
    co_return co_await target.run();
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(eventually([&] { return begun.load(); }));
  const auto waiting = runtime.spawn(outcome(magpie::wait_for(handle, 0s)));
  ASSERT_TRUE(eventually([&] { return target.is_cleaning_up.load(); }));
  EXPECT_TRUE(waiting.cancel("enough"));
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(waiting.result().substr(0, 9), "cancelled");
}

TEST_P(wait_for, without_time_is_cancelled_by_a_request_that_came_before) {
  slow_target target;
  const auto handle = runtime.spawn(target.run());
  ASSERT_TRUE(eventually([&] { return target.begun == 1; }));
  const auto wait = [&]() -> magpie::task<std::string> {
    magpie::current_task().cancel("enough");
    co_return co_await outcome(magpie::wait_for(handle, 0s));
  };
  const auto waiting = runtime.spawn(wait());
  ASSERT_TRUE(ends(waiting) && ends(handle));
  EXPECT_EQ(waiting.result(), "cancelled: enough");
}

// Rule 7 within a timeout.
TEST_P(wait_for, for_oneself_is_an_error) {
  magpie::task_handle<std::string> self;
  std::atomic<bool> is_set{false};
  const auto wait = [&]() -> magpie::task<std::string> {
    while (!is_set) co_await magpie::yield();
    const auto wait_for_self = [&]() -> magpie::task<> { co_await magpie::wait_for(self, 1h); };
    try {
      co_await wait_for_self();
    } catch (const magpie::invalid_state&) {
      co_return "refused";
    }
    co_return "";
  };
  self = runtime.spawn(wait());
  is_set = true;
  ASSERT_TRUE(ends(self));
  EXPECT_EQ(self.result(), "refused");
}

TEST(wait_for_misuse, outside_of_a_task_is_an_error) {
  const auto limited = magpie::wait_for(give(1), 1h);
  EXPECT_THROW(static_cast<void>(limited.await_ready()), magpie::invalid_state);
  EXPECT_THROW(static_cast<void>(magpie::current_deadline()), magpie::invalid_state);
}

TEST_P(wait_for, an_empty_task_is_an_error) {
  const auto wait = []() -> magpie::task<bool> {
    auto moved_from = give(1);
    const auto taken = std::move(moved_from);
    try {
      co_await magpie::wait_for(std::move(moved_from), 1h);
    } catch (const magpie::invalid_state&) {
      co_return !magpie::current_deadline().has_value();
    }
    co_return false;
  };
  EXPECT_TRUE(runtime.block_on(wait()));
}

TEST_P(wait_for, never_awaited_destroys_the_task) {
  const auto hold = [](counted argument) -> magpie::task<int> { co_return argument.value; };
  {
    const auto limited = magpie::wait_for(hold(counted(1)), 1h);
  }
  EXPECT_EQ(counted::alive(), 0);
}

// Rule 48: the timer of what ends in time is gone at once, and with it all memory.
TEST_P(wait_for, leaves_nothing_behind) {
  const auto before = magpie::frame_statistics().live;
  {
    magpie::runtime own{settings()};
    const auto wait = []() -> magpie::task<int> {
      int sum = 0;
      for (int i = 0; i < 10'000; ++i) {
        const int one = co_await magpie::wait_for(give_after_yields(1, i % 2), 1000h);
        sum += one;
      }
      for (int i = 0; i < 1'000; ++i) {
        const int one = co_await magpie::wait_for(magpie::spawn(give(1)), 1000h);
        sum += one;
      }
      co_return sum;
    };
    EXPECT_EQ(own.block_on(wait()), 11'000);
  }
  EXPECT_EQ(magpie::frame_statistics().live, before);
}

}  // namespace
