#include <magpie/admission.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/scale.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::admission;
using magpie::duration;
using magpie::test::ends;
using magpie::test::scaled;

/// A service under virtual time that does one thing at a time, first come, first served.
class admissions : public testing::Test {
 protected:
  struct day {
    std::size_t refused = 0;
    std::size_t done = 0;
    duration longest{};  // delay, after the first second
    duration all{};      // delays, after the first second
  };

  /// Work comes every `space` for so long, and takes `effort` each.
  [[nodiscard]] day serve(admission& door, duration space, duration effort, duration length) {
    day result;
    magpie::semaphore desk(1);
    const magpie::time_point start = runtime.now();
    const auto one = [&](admission::entry place) -> magpie::task<> {
      const auto entered = magpie::now();
      const magpie::permit turn = co_await desk.acquire();
      place.begin();
      if (entered - start > 1s) {
        result.longest = std::max(result.longest, magpie::now() - entered);
        result.all += magpie::now() - entered;
      }
      co_await magpie::sleep_for(effort);
      ++result.done;
    };
    const auto come = [&]() -> magpie::task<> {
      while (magpie::now() - start < length) {
        if (admission::entry place = door.try_enter()) {
          magpie::spawn(one(std::move(place)));
        } else {
          ++result.refused;
        }
        co_await magpie::sleep_for(space);
      }
      const magpie::permit last = co_await desk.acquire();  // behind all that was let in
    };
    runtime.block_on(come());
    return result;
  }

  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
};

TEST_F(admissions, let_all_in_that_can_be_done) {
  admission door;
  const day quiet = serve(door, 1ms, 900us, 10s);
  EXPECT_EQ(quiet.refused, 0U);
  EXPECT_EQ(quiet.done, 10'000U);
}

TEST_F(admissions, let_a_burst_in) {
  admission door;
  EXPECT_EQ(serve(door, 0ms, 1ms, 0ms).refused, 0U);
  std::vector<admission::entry> burst;
  for (int i = 0; i < 1000; ++i) burst.push_back(door.try_enter());
  EXPECT_TRUE(std::ranges::all_of(burst, [](const auto& each) { return bool(each); }));
  EXPECT_EQ(door.waiting(), 1000U);
}

TEST_F(admissions, keep_the_delay_short_under_twice_the_load) {
  admission door({.target = 5ms, .interval = 100ms});
  const day busy = serve(door, 500us, 1ms, 20s);
  // Two intervals may pass until it is seen that the queue stands.
  EXPECT_LE(busy.longest, 210ms);
  EXPECT_LE(busy.all / busy.done, 12ms);
  EXPECT_GE(busy.done, 19'500U) << "little of the time is lost";
  EXPECT_NEAR(static_cast<double>(busy.refused), 20'000, 600);
}

TEST_F(admissions, without_a_door_the_delay_grows) {
  admission wide({.target = 1h, .interval = 1h});
  const day busy = serve(wide, 500us, 1ms, 20s);
  EXPECT_EQ(busy.refused, 0U);
  EXPECT_GE(busy.longest, 19s);
}

TEST_F(admissions, let_all_in_again_when_the_load_is_over) {
  admission door;
  EXPECT_GT(serve(door, 200us, 1ms, 5s).refused, 0U);
  runtime.run_for(1s);
  const day quiet = serve(door, 2ms, 1ms, 5s);
  EXPECT_EQ(quiet.refused, 0U);
  EXPECT_FALSE(door.is_overloaded());
}

TEST_F(admissions, refuse_when_nothing_begins) {
  const auto wait_in_vain = []() -> magpie::task<> {
    admission door({.target = 5ms, .interval = 100ms});
    std::vector<admission::entry> stuck;
    std::size_t refused = 0;
    for (int i = 0; i < 300; ++i) {
      admission::entry place = door.try_enter();
      place ? stuck.push_back(std::move(place)) : void(++refused);
      co_await magpie::sleep_for(1ms);
    }
    EXPECT_TRUE(door.is_overloaded());
    EXPECT_LE(stuck.size(), 202U);
    EXPECT_EQ(stuck.size() + refused, 300U);
    stuck.clear();
    EXPECT_EQ(door.waiting(), 0U);
    EXPECT_TRUE(door.try_enter()) << "nothing waits any more";
  };
  runtime.block_on(wait_in_vain());
}

TEST_F(admissions, forget_what_leaves) {
  admission door;
  {
    admission::entry first = door.try_enter();
    admission::entry second = std::move(first);
    EXPECT_FALSE(first);
    EXPECT_TRUE(second);
    EXPECT_EQ(door.waiting(), 1U);
    second = door.try_enter();
    EXPECT_EQ(door.waiting(), 1U);
  }
  EXPECT_EQ(door.waiting(), 0U);
}

TEST_F(admissions, have_clear_errors) {
  EXPECT_THROW(admission({.target = 0ms}), magpie::invalid_state);
  EXPECT_THROW(admission({.interval = -1ms}), magpie::invalid_state);
  EXPECT_THROW(admission::entry().begin(), magpie::invalid_state);
  admission door;
  admission::entry place = door.try_enter();
  place.begin();
  EXPECT_FALSE(place);
  EXPECT_THROW(place.begin(), magpie::invalid_state);
  EXPECT_DEATH(
      {
        std::optional<admission> gone(std::in_place);
        const admission::entry left = gone->try_enter();
        gone.reset();
      },
      "magpie: expected no entry to be left");
}

class shared_admissions : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(shared_admissions);

TEST_P(shared_admissions, count_what_comes_and_goes_on_all_threads) {
  admission door({.target = 1us, .interval = 10us});
  const std::size_t rounds = scaled(1e6) / 16;
  std::vector<magpie::task_handle<>> all;
  const auto enter = [&](std::size_t index) -> magpie::task<> {
    for (std::size_t i = 0; i < rounds; ++i) {
      admission::entry place = door.try_enter();
      if (place && (i + index) % 3 != 0) place.begin();
      if (i % 8 == 0) co_await magpie::yield();
    }
  };
  for (std::size_t i = 0; i < 16; ++i) all.push_back(runtime.spawn(enter(i)));
  for (const auto& each : all) ASSERT_TRUE(ends(each));
  EXPECT_EQ(door.waiting(), 0U);
  EXPECT_TRUE(door.try_enter());
}

}  // namespace
