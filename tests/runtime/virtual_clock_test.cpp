#include "support/virtual_clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <magpie/checkpoint.hpp>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "support/tasks.hpp"

// Runtimes whose time jumps: hours here are not hours.

namespace {

using namespace std::chrono_literals;
using magpie::time_point;
using magpie::virtual_time;
using magpie::test::give;
using magpie::test::sleep_and_look;
using magpie::test::sleep_long;
using magpie::test::start;

class virtual_clock : public magpie::test::in_virtual_time {};
INSTANTIATE_TEST_SUITE_P(seed, virtual_clock, testing::Range<std::uint64_t>(0, 21));

// Where time stands.

TEST_P(virtual_clock, begins_at_zero_and_stands_still_while_something_is_ready) {
  EXPECT_EQ(runtime.now(), start);
  const auto work = []() -> magpie::task<> {
    for (int i = 0; i < 10'000; ++i) {
      co_await magpie::yield();
      co_await magpie::checkpoint();
      co_await magpie::sleep_for(0s);
    }
    EXPECT_EQ(magpie::now(), start);
  };
  runtime.block_on(work());
  EXPECT_EQ(runtime.now(), start);
}

TEST_P(virtual_clock, is_where_a_sleep_ends_to_the_nanosecond) {
  std::mt19937_64 random(GetParam());
  time_point expected = start;
  for (int i = 0; i < 1000; ++i) {
    const magpie::duration delay(1 + random() % (std::uint64_t{1} << random() % 52));
    expected += delay;
    ASSERT_EQ(runtime.block_on(sleep_and_look(delay)), expected);
    ASSERT_EQ(runtime.now(), expected);
  }
}

TEST_P(virtual_clock, is_that_of_the_task_and_the_steady_one_elsewhere) {
  const auto before = magpie::clock::now();
  EXPECT_EQ(runtime.block_on(sleep_and_look(3h)), start + 3h);
  const auto now = magpie::now();  // first: an expectation reads its sides in any order
  EXPECT_GE(now, before);
  EXPECT_LE(now, magpie::clock::now());
  EXPECT_LT(magpie::clock::now() - before, 1h);
}

TEST_P(virtual_clock, jumps_to_the_next_of_many_timers) {
  std::mt19937_64 random(GetParam());
  std::vector<time_point> wakings;
  const auto nap = [&](magpie::duration delay) -> magpie::task<> {
    co_await magpie::sleep_for(delay);
    EXPECT_EQ(magpie::now(), start + delay);
    wakings.push_back(magpie::now());
  };
  std::set<magpie::duration> delays;
  std::vector<magpie::task<>> naps;
  for (int i = 0; i < 2000; ++i) {
    const magpie::duration delay(1 + random() % (std::uint64_t{1} << random() % 62));
    if (delays.insert(delay).second) naps.push_back(nap(delay));
  }
  const auto handles = runtime.spawn_many(std::move(naps));
  runtime.run_until(time_point::max());
  ASSERT_EQ(wakings.size(), delays.size());
  EXPECT_TRUE(std::is_sorted(wakings.begin(), wakings.end()));
}

TEST_P(virtual_clock, does_not_wait_for_the_last_moment_nor_overflow) {
  const time_point late = time_point::max() - 1ns;
  const auto body = [&]() -> magpie::task<> {
    co_await magpie::sleep_until(late);
    EXPECT_EQ(magpie::now(), late);
    co_await magpie::sleep_for(0s);
    const auto never = magpie::spawn(sleep_long());
    co_await magpie::yield();
    EXPECT_EQ(magpie::now(), late);
    never.cancel();
  };
  runtime.block_on(body());
  EXPECT_EQ(runtime.now(), late);
}

// Which of those comes first that are due at one moment is up to the seed, all are there before
// time goes on.
TEST_P(virtual_clock, wakes_all_of_one_moment_in_that_moment) {
  std::vector<int> order;
  const auto nap = [&](int number) -> magpie::task<> {
    co_await magpie::sleep_until(start + 1h);
    EXPECT_EQ(magpie::now(), start + 1h);
    order.push_back(number);
    co_await magpie::sleep_for(1ns);
    EXPECT_EQ(order.size(), 50U);
  };
  std::vector<magpie::task_handle<>> naps;
  for (int i = 0; i < 50; ++i) naps.push_back(runtime.spawn(nap(i)));
  runtime.run_for(1h);
  EXPECT_EQ(order.size(), 50U);
  EXPECT_EQ(std::is_sorted(order.begin(), order.end()), GetParam() == 0)
      << "in the order of their coming, unless a seed decides";
  runtime.run_for(1ns);
  for (const auto& each : naps) EXPECT_TRUE(each.done());
}

// Slices.

TEST_P(virtual_clock, runs_for_as_long_as_was_asked) {
  std::vector<magpie::duration> ticks;
  const auto tick = [&]() -> magpie::task<> {
    for (;;) {
      co_await magpie::sleep_for(1s);
      ticks.push_back(magpie::now() - start);
    }
  };
  const auto ticking = runtime.spawn(tick());
  runtime.run_for(0s);
  EXPECT_TRUE(ticks.empty());
  runtime.run_for(2500ms);
  EXPECT_EQ(runtime.now(), start + 2500ms);
  EXPECT_EQ(ticks, (std::vector<magpie::duration>{1s, 2s}));
  runtime.run_for(499ms);
  EXPECT_EQ(ticks.size(), 2U);
  runtime.run_for(1ms);
  EXPECT_EQ(ticks.size(), 3U) << "what is due at its end belongs to a slice";
  runtime.run_until(start);
  EXPECT_EQ(runtime.now(), start + 3s) << "time does not go back";
  runtime.run_until(start + 1h);
  EXPECT_EQ(ticks.size(), 3600U);
  EXPECT_EQ(runtime.now(), start + 1h);
  ASSERT_TRUE(runtime.next_deadline().has_value());
  EXPECT_LE(*runtime.next_deadline(), start + 1h + 1s);
}

TEST_P(virtual_clock, moves_on_without_tasks) {
  runtime.run_for(5h);
  EXPECT_EQ(runtime.now(), start + 5h);
  EXPECT_FALSE(runtime.poll_one());
  EXPECT_EQ(runtime.next_deadline(), std::nullopt);
  EXPECT_EQ(runtime.now(), start + 5h) << "polling does not move it";
}

TEST_P(virtual_clock, is_not_moved_by_polling) {
  const auto sleeper = runtime.spawn(sleep_and_look(1s));
  runtime.run_until_idle();
  EXPECT_EQ(runtime.now(), start);
  EXPECT_FALSE(sleeper.done());
  // Which may be only a step on the way.
  while (const auto next = runtime.next_deadline()) {
    ASSERT_LE(*next, start + 1s);
    runtime.run_until(*next);
    EXPECT_EQ(runtime.now(), *next);
  }
  EXPECT_TRUE(sleeper.done());
  EXPECT_EQ(sleeper.result(), start + 1s);
}

// Timeouts.

TEST_P(virtual_clock, times_out_at_the_limit_exactly) {
  const auto body = []() -> magpie::task<> {
    for (const magpie::duration limit : {magpie::duration(1ns), magpie::duration(1h)}) {
      const time_point begin = magpie::now();
      bool timed_out = false;
      try {
        co_await magpie::wait_for(sleep_long(), limit);
      } catch (const magpie::timeout_error&) {
        timed_out = true;
      }
      EXPECT_TRUE(timed_out);
      EXPECT_EQ(magpie::now(), begin + limit);
    }
    const time_point begin = magpie::now();
    const time_point woken = co_await magpie::wait_for(sleep_and_look(59min), 1h);
    EXPECT_EQ(woken, begin + 59min);
    EXPECT_EQ(magpie::now(), woken) << "the limit that was not reached moves nothing";
  };
  runtime.block_on(body());
}

TEST_P(virtual_clock, reckons_deadlines_and_rescheduling_in_its_time) {
  const auto in_scope = [](magpie::timeout_scope& scope) -> magpie::task<> {
    EXPECT_EQ(scope.deadline(), start + 2h);
    EXPECT_EQ(magpie::current_deadline(), start + 2h);
    co_await magpie::sleep_for(1h);
    EXPECT_TRUE(scope.reschedule(5h));
    EXPECT_EQ(magpie::current_deadline(), start + 6h);
    co_await magpie::sleep_for(4h);
    EXPECT_TRUE(scope.reschedule(start + 5h + 1s));
    co_await sleep_long();
  };
  const auto body = [&]() -> magpie::task<bool> {
    try {
      co_await magpie::with_timeout(2h, in_scope);
    } catch (const magpie::timeout_error&) {
      co_return true;
    }
    co_return false;
  };
  EXPECT_TRUE(runtime.block_on(body()));
  EXPECT_EQ(runtime.now(), start + 5h + 1s);
}

// Misuse.

TEST(virtual_clock_misuse, with_workers_is_an_error) {
  const auto start_runtime = [](const magpie::runtime_options& settings) {
    const magpie::runtime refused(settings);
  };
  EXPECT_THROW(start_runtime({.workers = 1, .time = virtual_time}), magpie::invalid_state);
  EXPECT_THROW(start_runtime({.workers = 1, .seed = 1}), magpie::invalid_state);
  EXPECT_THROW(start_runtime({.workers = 1, .on_wake = [] {}}), magpie::invalid_state);
  EXPECT_THROW(start_runtime({.time = virtual_time}), magpie::invalid_state);
}

TEST(virtual_clock_misuse, driving_on_a_worker_is_an_error) {
  magpie::runtime runtime{{.workers = 0, .time = virtual_time}};
  const auto body = [&]() -> magpie::task<> {
    EXPECT_THROW(runtime.poll_one(), magpie::invalid_state);
    EXPECT_THROW(runtime.run_for(1s), magpie::invalid_state);
    EXPECT_THROW(runtime.run_until(start), magpie::invalid_state);
    EXPECT_THROW(static_cast<void>(runtime.next_deadline()), magpie::invalid_state);
    EXPECT_THROW(runtime.block_on(give(1)), magpie::invalid_state);
    EXPECT_THROW(magpie::spawn(give(1)).get(), magpie::invalid_state);
    co_return;
  };
  runtime.block_on(body());
}

// An hour of retries costs no hour, but a moment.
TEST(virtual_clock_speed, passes_hours_in_no_time) {
  magpie::runtime runtime{{.workers = 0, .time = virtual_time}};
  const auto before = magpie::clock::now();
  const auto retry = []() -> magpie::task<> {
    while (magpie::now() < start + 1h) {
      try {
        co_await magpie::wait_for(sleep_long(), 50ms);
      } catch (const magpie::timeout_error&) {
      }
      co_await magpie::sleep_for(50ms);
    }
  };
  runtime.block_on(retry());
  EXPECT_EQ(runtime.now(), start + 1h);
  EXPECT_LT(magpie::clock::now() - before, 1min);
}

}  // namespace
