#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <memory>
#include <numeric>
#include <random>
#include <ranges>
#include <stdexcept>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::limit_rate;
using magpie::rate;
using magpie::test::ends;
using magpie::test::eventually;

class rate_limits : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(rate_limits);

// Rule 74.
TEST_P(rate_limits, begin_in_order_no_more_often_than_allowed) {
  std::vector<std::pair<int, magpie::time_point>> starts;
  const auto begin = runtime.now();
  const auto child = [&](int number) -> magpie::task<int> {
    co_await magpie::sleep_for(5ms * (number % 3));  // longer than a space
    co_return number;
  };
  const auto noted = [&](int number) {
    starts.emplace_back(number, magpie::now());  // made when its turn has come
    return child(number);
  };
  auto tasks = std::views::iota(0, 20) | std::views::transform(noted);
  const auto results = runtime.block_on(limit_rate(rate{1000, 1s}, tasks));
  ASSERT_EQ(starts.size(), 20U);
  for (int i = 0; i < 20; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_EQ(results[at], i);
    EXPECT_EQ(starts[at].first, i);
    EXPECT_GE(starts[at].second - begin, i * 1ms);
    if (is_virtual()) {
      EXPECT_EQ(starts[at].second - begin, i * 1ms);
    }
  }
}

TEST_P(rate_limits, do_not_limit_how_many_run) {
  std::atomic<int> inside{0};
  const auto child = [&]() -> magpie::task<> {
    ++inside;
    while (inside < 10) co_await magpie::sleep_for(1ms);
  };
  std::vector<magpie::task<>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(child());
  runtime.block_on(limit_rate(rate{10'000, 1s}, std::move(tasks)));
  EXPECT_EQ(inside, 10);
}

TEST_P(rate_limits, of_a_range_without_a_size_and_of_nothing) {
  const auto make = [](int i) -> magpie::task<std::unique_ptr<int>> {
    co_return std::make_unique<int>(i);
  };
  auto some = std::views::iota(0) | std::views::take_while([](int i) { return i < 5; }) |
              std::views::transform(make);
  const auto results = runtime.block_on(limit_rate(rate{10'000, 1s, 2}, some));
  ASSERT_EQ(results.size(), 5U);
  EXPECT_EQ(*results[4], 4);
  EXPECT_TRUE(runtime.block_on(limit_rate(rate{1, 1h}, std::vector<magpie::task<int>>())).empty());
  EXPECT_THROW(runtime.block_on(limit_rate(rate{0, 1h}, std::vector<magpie::task<int>>())),
               magpie::invalid_state);
}

TEST_P(rate_limits, a_failure_starts_no_others_and_does_not_wait_for_their_time) {
  std::atomic<int> begun{0};
  const auto child = [&]() -> magpie::task<int> {
    if (++begun == 1) co_return 1;
    co_await magpie::yield();
    throw std::runtime_error("second");
  };
  std::vector<magpie::task<int>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(child());
  const auto begin = runtime.now();
  EXPECT_THROW(runtime.block_on(limit_rate(rate{1, 1000h, 1}, std::move(tasks))),
               std::runtime_error);
  EXPECT_EQ(begun, 2);
  EXPECT_LT(runtime.now() - begin, 1h);
}

TEST_P(rate_limits, a_cancel_starts_no_others) {
  std::atomic<int> begun{0};
  const auto child = [&]() -> magpie::task<> {
    ++begun;
    co_await magpie::sleep_for(1000h);
  };
  std::vector<magpie::task<>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(child());
  auto handle = runtime.spawn(limit_rate(rate{1, 1000h, 2}, std::move(tasks)));
  ASSERT_TRUE(eventually([&] { return begun == 3 || is_virtual(); }));
  ASSERT_TRUE(nothing_runs());
  handle.cancel();
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(begun, 3);
}

class rate_limits_in_virtual_time : public testing::Test {
 protected:
  /// Returns when each of so many tasks started, from the beginning of the run.
  std::vector<magpie::duration> starts(const rate& allowed, int tasks) {
    const auto begin = runtime.now();
    std::vector<magpie::duration> result;
    const auto noted = [&](int) {
      result.push_back(magpie::now() - begin);  // made when its turn has come
      return magpie::test::give_after_yields(0, 0);
    };
    auto made = std::views::iota(0, tasks) | std::views::transform(noted);
    runtime.block_on(limit_rate(allowed, made));
    return result;
  }

  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
};

// Rule 74: task number k starts (k - burst) spaces after the first, rounded down once.
TEST_F(rate_limits_in_virtual_time, start_a_thousand_tasks_at_the_exact_moments) {
  for (const rate& allowed :
       {rate{1000, 1s}, rate{7, 1s}, rate{3, 1ms, 10}, rate{999'983, 1s, 1}}) {
    const auto seen = starts(allowed, 1000);
    ASSERT_EQ(seen.size(), 1000U);
    for (std::size_t k = 0; k < 1000; ++k) {
      const auto spaces = k < allowed.burst ? std::size_t{0} : k - allowed.burst;
      const auto period = static_cast<std::size_t>(allowed.period.count());
      ASSERT_EQ(seen[k], magpie::duration(spaces * period / allowed.count)) << "task " << k;
    }
  }
}

// Rule 74.
TEST_F(rate_limits_in_virtual_time, never_overfill_a_window) {
  std::mt19937_64 random(magpie::test::announced_seed());
  for (int i = 0; i < 10'000; ++i) {
    const rate allowed{.count = 1 + random() % 8,
                       .period = magpie::duration(1 + random() % 1'000'000),
                       .burst = random() % 4};
    const auto seen = starts(allowed, 12);
    const std::size_t most = allowed.count + allowed.burst;
    for (std::size_t k = most; k < seen.size(); ++k) {
      ASSERT_GE(seen[k] - seen[k - most], allowed.period)
          << allowed.count << " in " << allowed.period.count() << " ns, burst " << allowed.burst;
    }
  }
}

}  // namespace
