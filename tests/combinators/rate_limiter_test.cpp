#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/magpie.hpp>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::rate;
using magpie::rate_limiter;
using magpie::time_point;
using magpie::test::ends;

class rate_limiters : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(rate_limiters);

class rate_limiters_in_virtual_time : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
};

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

/// Notes when the limiter let each of its tasks start.
struct noting {
  rate_limiter& limiter;
  std::vector<time_point> starts = {};

  magpie::task<> acquire(std::size_t weight = 1) {
    co_await limiter.acquire(weight);
    starts.push_back(magpie::now());
  }
};

// Rule 74: start number k comes (k - burst) spaces after the first, rounded down once.
TEST_F(rate_limiters_in_virtual_time, let_a_thousand_tasks_start_at_the_exact_moments) {
  constexpr std::int64_t burst = 5;
  rate_limiter limiter(rate{7, 1s, burst});
  noting all{limiter};
  const time_point begin = runtime.now();
  const auto crowd = [&]() -> magpie::task<> {
    std::vector<magpie::task<>> tasks;
    for (int i = 0; i < 1000; ++i) tasks.push_back(all.acquire());
    co_await magpie::gather(std::move(tasks));
  };
  runtime.block_on(crowd());
  ASSERT_EQ(all.starts.size(), 1000U);
  for (std::int64_t k = 0; k < 1000; ++k) {
    const std::int64_t spaces = std::max(k - burst, std::int64_t{0});
    const magpie::duration expected(spaces * 1'000'000'000 / 7);
    ASSERT_EQ(all.starts[static_cast<std::size_t>(k)] - begin, expected) << "start " << k;
  }
}

// Rule 74.
TEST_F(rate_limiters_in_virtual_time, count_a_start_by_its_weight) {
  rate_limiter limiter(rate{1000, 1s, 9});
  noting all{limiter};
  const time_point begin = runtime.now();
  const auto body = [&]() -> magpie::task<> {
    for (const std::size_t weight : {4U, 6U, 3U, 10U, 1U}) co_await all.acquire(weight);
  };
  runtime.block_on(body());
  const std::vector<time_point> expected{begin, begin, begin + 3ms, begin + 13ms, begin + 14ms};
  EXPECT_EQ(all.starts, expected);
}

TEST_F(rate_limiters_in_virtual_time, let_no_light_start_pass_a_heavy_one) {
  rate_limiter limiter(rate{1000, 1s, 9});
  std::vector<std::size_t> order;
  const auto child = [&](std::size_t weight) -> magpie::task<> {
    co_await limiter.acquire(weight);
    order.push_back(weight);
  };
  const auto body = [&]() -> magpie::task<> {
    co_await limiter.acquire(10);
    co_await magpie::gather(child(2), child(10), child(1), child(3));
  };
  runtime.block_on(body());
  EXPECT_EQ(order, (std::vector<std::size_t>{2, 10, 1, 3}));
}

TEST_F(rate_limiters_in_virtual_time, a_cancelled_heavy_waiter_holds_up_no_light_one) {
  rate_limiter limiter(rate{1, 1s, 99});
  noting all{limiter};
  const time_point begin = runtime.now();
  const auto body = [&]() -> magpie::task<> {
    co_await all.acquire(100);
    const auto heavy = magpie::spawn(all.acquire(100));
    co_await magpie::sleep_for(5s);
    const auto light = magpie::spawn(all.acquire());
    co_await magpie::sleep_for(5s);
    EXPECT_EQ(limiter.waiting(), 2U);
    EXPECT_FALSE(limiter.try_acquire()) << "others wait";
    heavy.cancel();
    co_await light;
    EXPECT_TRUE(heavy.cancelled());
  };
  runtime.block_on(body());
  EXPECT_EQ(all.starts, (std::vector<time_point>{begin, begin + 10s}));
}

// The timers of two tasks fire at the same moment, and the one that was armed first runs first:
// then the other has the turn and has not gone on.

TEST_F(rate_limiters_in_virtual_time, whoever_comes_while_another_has_the_turn_waits) {
  rate_limiter limiter(rate{1, 1s});
  noting all{limiter};
  const time_point begin = runtime.now();
  const auto newcomer = [&]() -> magpie::task<> {
    co_await magpie::sleep_until(begin + 1s);
    EXPECT_EQ(limiter.waiting(), 0U);
    EXPECT_FALSE(limiter.try_acquire());
    co_await all.acquire();
  };
  const auto body = [&]() -> magpie::task<> {
    co_await all.acquire();
    co_await magpie::gather(newcomer(), all.acquire());
  };
  runtime.block_on(body());
  EXPECT_EQ(all.starts, (std::vector<time_point>{begin, begin + 1s, begin + 2s}));
}

// Rules 27 and 80: what was granted is not lost.
TEST_F(rate_limiters_in_virtual_time, who_is_cancelled_in_the_turn_does_not_start) {
  rate_limiter limiter(rate{1, 1s});
  noting all{limiter};
  const time_point begin = runtime.now();
  const auto body = [&]() -> magpie::task<> {
    co_await all.acquire();
    std::vector<magpie::task_handle<>> others;
    const auto cancel_one = [&]() -> magpie::task<> {
      co_await magpie::sleep_until(begin + 1s);
      EXPECT_EQ(limiter.waiting(), 1U);
      others[0].cancel();
    };
    const auto canceller = magpie::spawn(cancel_one());
    co_await magpie::yield();
    for (int i = 0; i < 2; ++i) others.push_back(magpie::spawn(all.acquire()));
    co_await magpie::wait(others);
    EXPECT_TRUE(others[0].cancelled());
    EXPECT_TRUE(canceller.done());
  };
  runtime.block_on(body());
  EXPECT_EQ(all.starts, (std::vector<time_point>{begin, begin + 1s}));
}

TEST_P(rate_limiters, refuse_a_weight_that_never_may_start) {
  rate_limiter limiter(rate{1, 1h, 4});
  const auto body = [&]() -> magpie::task<> {
    EXPECT_THROW(static_cast<void>(limiter.acquire(0)), magpie::invalid_state);
    EXPECT_THROW(static_cast<void>(limiter.acquire(6)), magpie::invalid_state);
    EXPECT_THROW(static_cast<void>(limiter.try_acquire(0)), magpie::invalid_state);
    EXPECT_THROW(static_cast<void>(limiter.try_acquire(6)), magpie::invalid_state);
    co_await limiter.acquire(5);
    EXPECT_FALSE(limiter.try_acquire());
  };
  runtime.block_on(body());
  EXPECT_THROW(static_cast<void>(limiter.acquire().await_ready()), magpie::invalid_state);
}

// Rules 27, 74 and 80: whoever is cancelled, the turn is not lost, and no start is counted.
TEST_P(rate_limiters, survive_cancels_at_random) {
  std::mt19937_64 random(seed());
  rate_limiter limiter(rate{20'000, 1s, 3});
  std::atomic<int> started{0};
  const auto child = [&](std::size_t weight) -> magpie::task<> {
    co_await limiter.acquire(weight);
    ++started;
  };
  const auto begin = runtime.now();
  int completed = 0;
  std::vector<magpie::task_handle<>> handles;
  for (int i = 0; i < 400; ++i) {
    handles.push_back(runtime.spawn(child(1)));
    if (random() % 2 == 0) handles[random() % handles.size()].cancel();
  }
  for (const auto& each : handles) {
    ASSERT_TRUE(ends(each));
    if (!each.cancelled()) ++completed;
  }
  EXPECT_EQ(limiter.waiting(), 0U);
  EXPECT_GE(started, completed);
  EXPECT_GE(runtime.now() - begin, (completed - 4) * 50us);
  runtime.block_on(child(4));
}

TEST_P(rate_limiters, are_shared_by_the_tasks_of_two_runtimes) {
  if (is_virtual()) GTEST_SKIP() << "other threads do not count there";
  magpie::runtime other{settings()};
  rate_limiter limiter(rate{10'000, 1s, 1});
  const auto begin = runtime.now();
  const auto body = [&]() -> magpie::task<> {
    for (int i = 0; i < 50; ++i) {
      co_await limiter.acquire();
      if (i % 16 == 0) co_await magpie::yield();
    }
  };
  ASSERT_TRUE(magpie::test::end_on_both(runtime, other, body));
  EXPECT_GE(runtime.now() - begin, 398 * 100us);
}

TEST_P(rate_limiters, tell_what_a_task_waits_for) {
  rate_limiter limiter(rate{1, 1000h});
  const auto acquire = [&]() -> magpie::task<> { co_await limiter.acquire(); };
  runtime.block_on(acquire());
  auto handle = runtime.spawn(acquire());
  ASSERT_TRUE(nothing_runs());
  EXPECT_EQ(handle.waiting_for(), "rate limiter (0 ahead)");
  handle.cancel();
  ASSERT_TRUE(ends(handle));
}

TEST(rate_limiter_death_test, destroyed_while_somebody_waits) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto destroy_too_early = [] {
    magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
    auto limiter = std::make_unique<rate_limiter>(rate{1, 1h});
    const auto acquire = [&]() -> magpie::task<> { co_await limiter->acquire(); };
    runtime.block_on(acquire());
    const auto handle = runtime.spawn(acquire());
    runtime.run_until_idle();
    limiter.reset();
  };
  EXPECT_DEATH(destroy_too_early(), "nobody to wait for a rate limiter that is destroyed");
}

}  // namespace
