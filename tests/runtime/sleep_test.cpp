#include <magpie/sleep.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/yield.hpp>
#include <random>
#include <vector>

#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

// Where there are workers, these tests do sleep, for the wall clock is the subject; but for
// milliseconds.

namespace {

using namespace std::chrono_literals;
using magpie::test::eventually;

class sleep : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_RUNTIME(sleep);

// The order in which several workers run tasks is not promised.
class sleep_on_one_thread : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_SINGLE_THREAD(sleep_on_one_thread);

TEST_P(sleep, lasts_at_least_as_long_as_was_asked) {
  const auto nap = [](magpie::duration delay) -> magpie::task<magpie::duration> {
    const auto start = magpie::now();
    co_await magpie::sleep_for(delay);
    co_return magpie::now() - start;
  };
  std::mt19937_64 random(seed());
  std::vector<std::pair<magpie::duration, magpie::task_handle<magpie::duration>>> naps;
  for (int i = 0; i < 300; ++i) {
    const magpie::duration delay(random() % 20'000'000);
    naps.emplace_back(delay, runtime.spawn(nap(delay)));
  }
  for (const auto& [delay, handle] : naps) {
    ASSERT_TRUE(eventually([&, &ended = handle] { return ended.done(); }));
    EXPECT_GE(handle.result(), delay);
    if (is_virtual()) {
      EXPECT_EQ(handle.result(), delay);
    }
  }
}

TEST_P(sleep, until_a_moment_ends_after_it) {
  const auto nap = []() -> magpie::task<bool> {
    const auto moment = magpie::now() + 3ms;
    co_await magpie::sleep_until(moment);
    co_return magpie::now() >= moment;
  };
  EXPECT_TRUE(runtime.block_on(nap()));
}

TEST_P(sleep_on_one_thread, wakes_in_the_order_of_the_deadlines) {
  std::vector<int> order;
  const auto nap = [&order](magpie::time_point until, int number) -> magpie::task<> {
    co_await magpie::sleep_until(until);
    order.push_back(number);
  };
  const auto look_at_clock = []() -> magpie::task<magpie::time_point> { co_return magpie::now(); };
  // Later each time, for all must sleep before the first is due, and this thread may be held up.
  for (auto delay = 2ms;; delay *= 2) {
    order.clear();
    const auto first = runtime.now() + delay;
    std::vector<magpie::task_handle<>> handles;
    for (const int number : {3, 1, 4, 0, 2}) {
      handles.push_back(runtime.spawn(nap(first + number * 2ms, number)));
    }
    const bool in_time = runtime.block_on(look_at_clock()) < first;  // it comes after the others
    for (const auto& handle : handles) {
      ASSERT_TRUE(eventually([&] { return handle.done(); }));
    }
    if (!in_time) continue;
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
    return;
  }
}

// Rule 13: zero yields once, and injected work gets in; a negative duration is zero.

template <class Delay>
magpie::task<bool> others_run_during(Delay delay, int sleeps) {
  bool other_ran = false;
  const auto other = [&other_ran]() -> magpie::task<> {
    other_ran = true;
    co_return;
  };
  const auto handle = magpie::spawn(other());
  for (int i = 0; i < sleeps; ++i) co_await magpie::sleep_for(delay);
  const bool ran_meanwhile = other_ran;
  co_await handle;
  co_return ran_meanwhile;
}

TEST_P(sleep_on_one_thread, of_zero_or_less_yields_once) {
  // A seed may let the yielding task go on at once, a few times.
  const int sleeps = is_virtual() ? 100 : 1;
  const auto before = runtime.now();
  EXPECT_TRUE(runtime.block_on(others_run_during(0s, sleeps)));
  EXPECT_TRUE(runtime.block_on(others_run_during(-5h, sleeps)));
  EXPECT_TRUE(runtime.block_on(others_run_during(magpie::duration::min(), sleeps)));
  if (is_virtual()) {
    EXPECT_EQ(runtime.now(), before);
  }
}

TEST_P(sleep, of_zero_lets_injected_work_in) {
  std::atomic<bool> stop{false};
  const auto spin = [&stop]() -> magpie::task<> {
    while (!stop) co_await magpie::sleep_for(0s);
  };
  const auto end = [&stop]() -> magpie::task<> {
    stop = true;
    co_return;
  };
  std::vector<magpie::task_handle<>> spinners;
  for (std::size_t i = 0; i < GetParam() * 2 + 2; ++i) spinners.push_back(runtime.spawn(spin()));
  runtime.block_on(end());
  for (const auto& handle : spinners) {
    ASSERT_TRUE(eventually([&] { return handle.done(); }));
  }
}

TEST_P(sleep, takes_any_duration) {
  const auto naps = []() -> magpie::task<> {
    co_await magpie::sleep_for(std::chrono::duration<double, std::milli>(0.25));
    co_await magpie::sleep_for(
        std::chrono::duration<double>(-std::numeric_limits<double>::infinity()));
    co_await magpie::sleep_for(
        std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()));
    co_await magpie::sleep_until(magpie::time_point::min());
    co_await magpie::sleep_until(magpie::time_point());
  };
  runtime.block_on(naps());
}

TEST(sleep_arithmetic, saturates) {
  using magpie::detail::saturated;
  EXPECT_EQ(saturated(std::chrono::hours::max()), magpie::duration::max());
  EXPECT_EQ(saturated(std::chrono::hours::min()), magpie::duration::zero());
  EXPECT_EQ(saturated(std::chrono::duration<double>(1e300)), magpie::duration::max());
  EXPECT_EQ(saturated(std::chrono::duration<double, std::nano>(1.25)), magpie::duration(2));
  EXPECT_EQ(saturated(7ms), magpie::duration(7'000'000));
  EXPECT_EQ(magpie::deadline_after(magpie::duration::max()), magpie::time_point::max());
}

TEST_P(sleep, for_ever_ends_with_the_runtime) {
  magpie::task_handle<> sleeper;
  {
    magpie::runtime short_lived{settings()};
    const auto nap = []() -> magpie::task<> {
      co_await magpie::sleep_until(magpie::time_point::max());
    };
    sleeper = short_lived.spawn(nap());
  }
  EXPECT_TRUE(sleeper.cancelled());
}

TEST_P(sleep, of_many_at_once) {
  std::atomic<int> woken{0};
  const auto nap = [&woken](magpie::duration delay) -> magpie::task<> {
    co_await magpie::sleep_for(delay);
    ++woken;
  };
  for (int i = 0; i < 5000; ++i) runtime.spawn(nap((i % 50) * 100us));
  EXPECT_TRUE(eventually([&] { return woken == 5000; }));
}

TEST(sleep_misuse, outside_of_a_task_is_an_error) {
  auto awaiter = magpie::sleep_for(1ms);
  EXPECT_THROW(static_cast<void>(awaiter.await_ready()), magpie::invalid_state);
}

}  // namespace
