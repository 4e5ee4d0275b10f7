#include <magpie/hedge.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::hedge;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::fail;
using magpie::test::reason_of;
using magpie::test::sleep_and_give;

class hedge_of_attempts : public magpie::test::leaving_nothing {};
MAGPIE_FOR_EACH_RUNTIME(hedge_of_attempts);

/// Hours in which the clock does not stand still.
class hedge_in_virtual_time : public magpie::test::cancelling {};
INSTANTIATE_TEST_SUITE_P(pool, hedge_in_virtual_time, testing::Values(magpie::test::no_workers),
                         magpie::test::runtime_name);

// Rule 71: the next starts after a delay or a failure; when all fail, a group with one error for
// each that was started.

TEST_P(hedge_of_attempts, starts_one_when_that_is_in_time) {
  std::atomic<int> started{0};
  const auto make = [&]() -> magpie::task<int> {
    ++started;
    co_return 4;
  };
  EXPECT_EQ(runtime.block_on(hedge({.delay = 1h, .attempts = 3}, make)), 4);
  EXPECT_EQ(started, 1);
}

TEST_P(hedge_of_attempts, starts_the_next_after_the_delay) {
  const auto make = [](std::size_t index) -> magpie::task<std::size_t> {
    const counted local;
    // Nor do the later ones end, which start when a worker with the third is held up.
    if (index != 2) co_await magpie::sleep_for(1000h);
    co_return index;
  };
  EXPECT_EQ(runtime.block_on(hedge({.delay = 1ms, .attempts = 5}, make)), 2U);
}

TEST_P(hedge_of_attempts, starts_the_next_when_one_fails) {
  const auto make = [](std::size_t index) -> magpie::task<std::size_t> {
    if (index == 1) co_await magpie::sleep_for(1ms);
    if (index < 3) throw std::runtime_error("not yet");
    co_return index;
  };
  EXPECT_EQ(runtime.block_on(hedge({.delay = 1000h, .attempts = 4}, make)), 3U);
}

TEST_P(hedge_of_attempts, throws_the_error_of_each_when_all_fail) {
  const auto make = [](std::size_t index) -> magpie::task<int> {
    if (index == 2) throw std::runtime_error("made none");
    return fail("attempt " + std::to_string(index));
  };
  const auto run = [&]() -> magpie::task<std::string> {
    std::string what;
    try {
      co_await hedge({.delay = 1000h, .attempts = 4}, make);
    } catch (const magpie::exception_group& all) {
      what = all.what();
    }
    co_await magpie::yield();
    co_return what;
  };
  EXPECT_EQ(runtime.block_on(run()), "4 errors: attempt 0; attempt 1; made none; attempt 3");
}

TEST_P(hedge_of_attempts, never_starts_more_than_most) {
  std::atomic<std::size_t> started{0};
  const auto make = [&](std::size_t index) -> magpie::task<std::size_t> {
    ++started;
    EXPECT_LT(index, 3U);
    co_await magpie::sleep_for(10ms);
    if (index != 2) throw std::runtime_error("no");
    co_return index;
  };
  EXPECT_EQ(runtime.block_on(hedge({.delay = 0ms, .attempts = 3}, make)), 2U);
  EXPECT_EQ(started, 3U);
  started = 0;
  EXPECT_EQ(runtime.block_on(hedge({.delay = magpie::duration::min(), .attempts = 3}, make)), 2U);
  EXPECT_EQ(started, 3U) << "a negative delay counts as none";
  EXPECT_THROW(runtime.block_on(hedge({.delay = 0ms, .attempts = 0}, make)), magpie::invalid_state);
}

TEST_P(hedge_of_attempts, that_is_cancelled_starts_no_more) {
  std::atomic<std::size_t> started{0};
  const auto make = [&]() -> magpie::task<int> {
    ++started;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      throw std::runtime_error("while it cleaned up");
    }
    co_return 1;
  };
  const auto run = [&]() -> magpie::task<int> {
    const int value = co_await hedge({.delay = 2000h, .attempts = 3}, make);
    co_return value;
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "enough");
  EXPECT_EQ(started, 1U);
}

TEST_P(hedge_in_virtual_time, counts_the_delay_from_the_last_start) {
  std::vector<magpie::duration> starts;
  const auto make = [&](std::size_t index) -> magpie::task<std::size_t> {
    starts.push_back(magpie::now() - magpie::time_point{});
    if (index == 0) {  // fails between two starts by the delay
      co_await magpie::sleep_for(15min);
      throw std::runtime_error("no");
    }
    co_await magpie::sleep_for(index == 4 ? 1min : 10h);
    co_return index;
  };
  EXPECT_EQ(runtime.block_on(hedge({.delay = 10min, .attempts = 9}, make)), 4U);
  const std::vector<magpie::duration> expected{0min, 10min, 15min, 25min, 35min};
  EXPECT_EQ(starts, expected);
  EXPECT_EQ(runtime.now() - magpie::time_point{}, 36min);
}

}  // namespace
