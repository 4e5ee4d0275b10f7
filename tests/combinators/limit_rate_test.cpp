#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <memory>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

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

}  // namespace
