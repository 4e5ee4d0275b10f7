#include <magpie/rate.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/errors.hpp>
#include <random>
#include <vector>

#include "support/random.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::duration;
using magpie::rate;
using magpie::time_point;
using magpie::detail::rate_meter;
using magpie::test::announced_seed;

struct start {
  time_point when;
  std::size_t weight;
};

/// The most in any window of a period that begins with one of them, each by its weight.
std::size_t most_in_a_window(const std::vector<start>& starts, duration period) {
  std::size_t most = 0;
  std::size_t inside = 0;
  std::size_t from = 0;
  for (const start& last : starts) {
    inside += last.weight;
    while (last.when - starts[from].when >= period) inside -= starts[from++].weight;
    most = std::max(most, inside);
  }
  return most;
}

/// A number up to `most`, small ones as often as great ones.
template <class Number>
Number any_magnitude(std::mt19937_64& random, Number most) {
  const auto bits = random() % 64;
  return static_cast<Number>((random() >> bits) % static_cast<std::uint64_t>(most));
}

/// With a burst of at most some days.
rate any_rate(std::mt19937_64& random) {
  rate made{.count = 1 + any_magnitude(random, std::size_t{1} << 40),
            .period = duration(1 + any_magnitude(random, duration(24h).count()))};
  const auto in_days =
      5 * static_cast<double>(made.count) * static_cast<double>(24h / made.period + 1);
  made.burst = any_magnitude(random, static_cast<std::size_t>(std::min(in_days, 1e6)) + 1);
  return made;
}

// Rule 74.
TEST(rate_meter_test, allows_no_more_in_any_window_whoever_comes_when) {
  std::mt19937_64 random(announced_seed());
  for (int i = 0; i < 10'000; ++i) {
    const rate allowed = any_rate(random);
    rate_meter meter(allowed);
    std::vector<start> starts;
    time_point now{};
    for (int k = 0; k < 100; ++k) {
      const std::size_t weight =
          random() % 2 == 0 ? 1 : 1 + any_magnitude(random, allowed.burst + 1);
      // Some come together, some after a pause, and some later than they were allowed to.
      const auto unit = static_cast<std::uint64_t>(allowed.period.count());
      if (random() % 4 == 0) now += duration(random() % (unit * 2 + 1));
      now = std::max(now, meter.next(weight));
      if (random() % 4 == 0) now += duration(random() % (unit / 2 + 1));
      ASSERT_TRUE(meter.allows(weight, now));
      meter.begin(now, weight);
      starts.push_back({now, weight});
    }
    ASSERT_LE(most_in_a_window(starts, allowed.period), allowed.count + allowed.burst)
        << allowed.count << " in " << allowed.period.count() << " ns, burst " << allowed.burst;
  }
}

TEST(rate_meter_test, next_is_the_first_moment_that_it_allows) {
  std::mt19937_64 random(announced_seed());
  for (int i = 0; i < 1000; ++i) {
    const rate allowed = any_rate(random);
    rate_meter meter(allowed);
    time_point now{};
    for (int k = 0; k < 20; ++k) {
      const std::size_t weight = 1 + any_magnitude(random, allowed.burst + 1);
      meter.begin(now, weight);
      ASSERT_TRUE(meter.allows(weight, meter.next(weight)));
      ASSERT_FALSE(meter.allows(weight, meter.next(weight) - 1ns));
      now = std::max(now, meter.next(weight));
    }
  }
}

// Start number k of a crowd comes (k - burst) spaces after the first, rounded down once.
TEST(rate_meter_test, gives_the_moments_of_the_formula) {
  std::mt19937_64 random(announced_seed());
  for (int i = 0; i < 1000; ++i) {
    const rate allowed{.count = 1 + random() % 1'000'000,
                       .period = duration(1'000'000 + random() % 1'000'000'000),
                       .burst = random() % 20};
    rate_meter meter(allowed);
    const time_point begin(duration(random() % 1'000'000'000'000));
    for (std::uint64_t k = 0; k < 100; ++k) {
      const std::uint64_t spaces = k < allowed.burst ? 0 : k - allowed.burst;
      const std::uint64_t units = spaces * static_cast<std::uint64_t>(allowed.period.count());
      const time_point expected = begin + duration(units / allowed.count);
      const time_point when = std::max(begin, meter.next());
      ASSERT_EQ(when, expected) << "start " << k;
      meter.begin(when);
    }
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
  EXPECT_EQ(meter.next(3), begin + 1250ms);
  meter.begin(begin + 100s, 2);
  EXPECT_EQ(meter.next(2), begin + 100s + 250ms);
  meter.begin(begin + 100s);
  EXPECT_EQ(meter.next(), begin + 100s + 250ms) << "no more is saved up than the burst";
}

TEST(rate_meter_test, takes_any_numbers) {
  EXPECT_THROW(rate_meter(rate{0, 1s}), magpie::invalid_state);
  EXPECT_THROW(rate_meter(rate{1, 0s}), magpie::invalid_state);
  EXPECT_THROW(rate_meter(rate{1, -1s}), magpie::invalid_state);
  constexpr auto largest = static_cast<std::size_t>(-1);
  for (const rate& allowed :
       {rate{largest, 1ns, largest}, rate{1, duration::max()}, rate{1, duration::max(), largest},
        rate{largest, 1h}, rate{largest, duration::max(), largest}}) {
    rate_meter meter(allowed);
    for (const std::size_t weight : {std::size_t{1}, meter.most_weight()}) {
      for (int i = 0; i < 5; ++i) meter.begin(std::max(meter.next(weight), time_point{}), weight);
      meter.begin(time_point::max(), weight);
      EXPECT_GE(meter.next(), time_point{});
    }
  }
}

}  // namespace
