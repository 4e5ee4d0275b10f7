#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <random>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::rate;
using magpie::rate_limiter;
using magpie::time_point;
using magpie::detail::rate_meter;
using magpie::test::ends;

class rate_limiters : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(rate_limiters);

/// The most in any window of a period that begins with one of them.
std::size_t most_in_a_window(const std::vector<time_point>& starts, magpie::duration period) {
  std::size_t most = 0;
  for (std::size_t from = 0; from < starts.size(); ++from) {
    std::size_t to = from;
    while (to < starts.size() && starts[to] - starts[from] < period) ++to;
    most = std::max(most, to - from);
  }
  return most;
}

// Rule 74.
TEST(rate_meter_test, allows_no_more_in_any_window_whoever_comes_when) {
  std::mt19937_64 random(20);
  for (const rate& allowed : {rate{10, 1s}, rate{10, 1s, 5}, rate{3, 1us, 1}, rate{7, 1s, 20},
                              rate{1, 1s}, rate{1'000'000'007, 1s}}) {
    rate_meter meter(allowed);
    std::vector<time_point> starts;
    time_point now{};
    for (int i = 0; i < 2000; ++i) {
      // Some come together, some after a pause, and some later than they were allowed to.
      const auto unit = static_cast<std::uint64_t>(allowed.period.count());
      if (random() % 4 == 0) now += magpie::duration(random() % (unit * 2 + 1));
      now = std::max(now, meter.next());
      if (random() % 4 == 0) now += magpie::duration(random() % (unit / 2 + 1));
      meter.begin(now);
      starts.push_back(now);
    }
    EXPECT_LE(most_in_a_window(starts, allowed.period), allowed.count + allowed.burst);
  }
}

TEST(rate_meter_test, spaces_evenly_and_saves_up_a_burst) {
  rate_meter meter(rate{4, 1s, 2});
  const time_point begin{};
  for (const auto expected : {0ms, 0ms, 0ms, 250ms, 500ms}) {
    EXPECT_LE(meter.next(), begin + expected);
    meter.begin(std::max(meter.next(), begin));
  }
  EXPECT_EQ(meter.next(), begin + 750ms);
  meter.begin(begin + 100s);
  meter.begin(begin + 100s);
  meter.begin(begin + 100s);
  EXPECT_EQ(meter.next(), begin + 100s + 250ms) << "no more is saved up than the burst";
}

TEST(rate_meter_test, takes_any_numbers) {
  EXPECT_THROW(rate_meter(rate{0, 1s}), magpie::invalid_state);
  EXPECT_THROW(rate_meter(rate{1, 0s}), magpie::invalid_state);
  EXPECT_THROW(rate_meter(rate{1, -1s}), magpie::invalid_state);
  constexpr auto largest = static_cast<std::size_t>(-1);
  for (const rate& allowed : {rate{largest, 1ns, largest}, rate{1, magpie::duration::max()},
                              rate{1, magpie::duration::max(), largest}, rate{largest, 1h}}) {
    rate_meter meter(allowed);
    for (int i = 0; i < 5; ++i) meter.begin(std::max(meter.next(), time_point{}));
  }
}

// Rule 74.
TEST_P(rate_limiters, let_tasks_begin_no_more_often_and_in_order) {
  rate_limiter limiter(rate{1000, 1s, 2});
  std::vector<std::size_t> order;
  std::vector<time_point> starts;
  const auto child = [&](std::size_t number) -> magpie::task<> {
    co_await limiter.acquire();
    order.push_back(number);
    starts.push_back(magpie::now());
    co_await magpie::yield();
  };
  const auto all = [&]() -> magpie::task<> {
    for (std::size_t i = 0; i < 30; ++i) co_await child(i);
  };
  const auto begin = runtime.now();
  runtime.block_on(all());
  ASSERT_EQ(starts.size(), 30U);
  for (std::size_t i = 3; i < 30; ++i) EXPECT_GE(starts[i] - begin, (i - 2) * 1ms);
  if (is_virtual()) {
    EXPECT_EQ(starts[29] - begin, 27ms);
  }
}

TEST_P(rate_limiters, serve_those_who_wait_first_come_first_served) {
  rate_limiter limiter(rate{500, 1s});
  std::vector<int> order;  // each is at least a space after the one before
  const auto child = [&](int number) -> magpie::task<> {
    co_await limiter.acquire();
    order.push_back(number);
  };
  std::vector<magpie::task_handle<>> handles;
  const auto begin = [&]() -> magpie::task<> {
    co_await limiter.acquire();
    for (int i = 0; i < 8; ++i) {
      handles.push_back(magpie::spawn(child(i)));
      // By the time that it has slept, the other waits.
      co_await magpie::sleep_for(100us);
    }
  };
  if (!is_virtual() && GetParam() != 1) GTEST_SKIP() << "they come in any order";
  runtime.block_on(begin());
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  EXPECT_EQ(order.size(), 8U);
  if (is_virtual()) {
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  }
}

// Rule 74: a waiter cancelled gives its turn on, and uses up nothing.
TEST_P(rate_limiters, a_cancelled_waiter_takes_nothing) {
  rate_limiter limiter(rate{1, 1h});
  const auto acquire = [&]() -> magpie::task<> { co_await limiter.acquire(); };
  runtime.block_on(acquire());
  auto first = runtime.spawn(acquire());
  ASSERT_TRUE(nothing_runs());
  auto second = runtime.spawn(acquire());
  ASSERT_TRUE(nothing_runs());
  first.cancel();
  ASSERT_TRUE(ends(first));
  EXPECT_TRUE(first.cancelled());
  ASSERT_TRUE(nothing_runs());
  EXPECT_FALSE(second.done());
  if (is_virtual()) {
    ASSERT_TRUE(ends(second));
    EXPECT_EQ(runtime.now() - time_point{}, 1h) << "the place of the first";
  } else {
    second.cancel();
    ASSERT_TRUE(ends(second));
  }
}

TEST_P(rate_limiters, can_be_tried) {
  rate_limiter limiter(rate{1, 1h, 1});
  const auto body = [&]() -> magpie::task<int> {
    int successes = 0;
    for (int i = 0; i < 10; ++i) successes += limiter.try_acquire() ? 1 : 0;
    co_return successes;
  };
  EXPECT_EQ(runtime.block_on(body()), 2);
}

}  // namespace
