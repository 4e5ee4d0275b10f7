#include "scheduler/timekeeper.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <magpie/clock.hpp>
#include <magpie/detail/timer.hpp>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "support/alarm.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/threads.hpp"

namespace {

using magpie::clock;
using magpie::time_point;
using magpie::detail::job;
using magpie::detail::timekeeper;
using magpie::detail::timer;
using magpie::detail::worker;
using magpie::test::announced_seed;
using magpie::test::eventually;
using magpie::test::once_asleep;
using magpie::test::scaled;
using namespace std::chrono_literals;

// Received, and never run.
struct received_alarm : magpie::test::alarm {
  std::size_t place = 0;
};

bool nothing_to_watch(void*, time_point) { return false; }

class timekeeper_test : public testing::Test {
 protected:
  static constexpr std::size_t shards = 3;

  void arm(received_alarm& one, time_point deadline, std::size_t shard = 0) {
    one.deadline = deadline;
    keeper_.arm(shard, one.item, deadline);
  }

  std::atomic<std::size_t> received_{0};
  timekeeper keeper_{shards,
                     [](void* received, job& item) {
                       auto& one = static_cast<received_alarm&>(item);
                       one.place = static_cast<std::atomic<std::size_t>*>(received)->fetch_add(1);
                       one.ring();
                     },
                     &nothing_to_watch, &received_};
};

TEST_F(timekeeper_test, hands_on_once_and_never_early) {
  received_alarm one;
  arm(one, clock::now() + 3ms);
  ASSERT_TRUE(one.comes());
  EXPECT_GE(one.came_at, one.deadline);
  EXPECT_FALSE(keeper_.disarm(one.item));
  EXPECT_EQ(one.times_come(), 1U);
}

// Deadlines anywhere within a tick of 65.5 us: rounding down would show as early.
TEST_F(timekeeper_test, is_not_early_by_a_fraction_of_a_tick) {
  for (int i = 0; i < 100; ++i) {
    received_alarm one;
    arm(one, clock::now() + 100us + i * 657ns, static_cast<std::size_t>(i) % shards);
    ASSERT_TRUE(one.comes());
    ASSERT_GE(one.came_at, one.deadline);
  }
}

TEST_F(timekeeper_test, a_deadline_in_the_past_comes_at_once) {
  std::deque<received_alarm> all(4);
  arm(all[0], clock::now());
  arm(all[1], clock::now() - 1h);
  arm(all[2], time_point{});
  arm(all[3], time_point::min());
  for (const received_alarm& each : all) {
    EXPECT_TRUE(each.comes());
  }
}

TEST_F(timekeeper_test, a_deadline_in_the_past_comes_while_a_far_one_waits) {
  received_alarm far;
  arm(far, clock::now() + 1h, 1);
  for (std::size_t shard = 0; shard < shards; ++shard) {
    received_alarm near;
    arm(near, time_point{}, shard);
    EXPECT_TRUE(near.comes());
  }
  EXPECT_TRUE(keeper_.disarm(far.item));
}

TEST_F(timekeeper_test, the_last_moment_of_the_clock_does_not_come) {
  received_alarm never;
  received_alarm near;
  arm(never, time_point::max());
  arm(near, clock::now() + 1ms);
  ASSERT_TRUE(near.comes());
  EXPECT_EQ(never.times_come(), 0U);
  EXPECT_TRUE(keeper_.disarm(never.item));
  EXPECT_FALSE(keeper_.disarm(never.item));
}

TEST_F(timekeeper_test, a_disarmed_timer_does_not_come_and_may_be_armed_again) {
  received_alarm one;
  // Later each time, for this thread may be held up until the timer has come.
  auto delay = 2ms;
  time_point soon;
  for (;; delay *= 2) {
    soon = clock::now() + delay;
    arm(one, soon, 1);
    if (keeper_.disarm(one.item)) break;
    ASSERT_TRUE(one.comes());
    one.times = 0;
  }
  received_alarm later;
  arm(later, soon + 1ms, 1);
  ASSERT_TRUE(later.comes());
  EXPECT_EQ(one.times_come(), 0U);
  arm(one, clock::now() + 1ms, 2);
  ASSERT_TRUE(one.comes());
  EXPECT_GE(one.came_at, one.deadline);
}

// The thread sleeps to the first timer; one that comes before must wake it.
TEST_F(timekeeper_test, an_earlier_timer_overtakes_those_that_wait) {
  std::deque<received_alarm> all(20);
  const time_point start = clock::now();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto steps = static_cast<std::int64_t>(all.size() - i);
    arm(all[i], start + 20ms + steps * 500us, i % shards);
  }
  received_alarm hour;
  arm(hour, start + 1h);
  for (const received_alarm& each : all) EXPECT_TRUE(each.comes());
  for (const received_alarm& each : all) {
    EXPECT_GE(each.came_at, each.deadline);
    EXPECT_LT(each.came_at, start + 30min) << "it came with the last timer only";
  }
  EXPECT_TRUE(keeper_.disarm(hour.item));
}

TEST_F(timekeeper_test, wakes_for_a_timer_that_is_due_some_seconds_sooner) {
  received_alarm far;
  received_alarm near;
  arm(far, clock::now() + 5s);
  ASSERT_FALSE(once_asleep("magpie-time", 1).empty());
  arm(near, clock::now() + 1ms, 1);
  ASSERT_TRUE(near.comes());
  EXPECT_LT(near.came_at, far.deadline - 1s) << "it came with the other one only";
  EXPECT_TRUE(keeper_.disarm(far.item));
}

// The wheel knows only the start of a far slot, so the thread wakes on the way; that is no reason
// to hand anything on.
TEST_F(timekeeper_test, many_in_random_order) {
  std::mt19937_64 random{announced_seed()};
  std::deque<received_alarm> all(3000);
  const time_point start = clock::now();
  for (received_alarm& each : all) {
    arm(each, start + std::chrono::nanoseconds(random() % 60'000'000), random() % shards);
  }
  for (const received_alarm& each : all) {
    ASSERT_TRUE(each.comes());
    ASSERT_GE(each.came_at, each.deadline);
    ASSERT_EQ(each.times_come(), 1U);
  }
}

TEST_F(timekeeper_test, the_timers_of_a_shard_come_in_order) {
  std::mt19937_64 random{announced_seed()};
  constexpr auto tick = std::chrono::nanoseconds(std::int64_t{1} << 16);
  std::vector<std::int64_t> distances(300);
  std::iota(distances.begin(), distances.end(), 0);
  // Later each time, for all must be armed before the first is due, and this thread may be held up.
  for (auto delay = 10ms;; delay *= 2) {
    std::shuffle(distances.begin(), distances.end(), random);
    std::deque<received_alarm> all(distances.size());
    const std::size_t first_place = received_.load();
    const time_point start = clock::now() + delay;
    for (std::size_t i = 0; i < all.size(); ++i) arm(all[i], start + distances[i] * tick);
    const bool in_time = clock::now() < start;
    for (const received_alarm& each : all) ASSERT_TRUE(each.comes());
    if (!in_time) continue;
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].place - first_place, static_cast<std::size_t>(distances[i]));
    }
    return;
  }
}

// Either disarm() says true and the job does not come, or false and it comes once.
TEST_F(timekeeper_test, disarm_against_expiry_has_one_winner) {
  const std::uint64_t seed = announced_seed();
  const std::size_t rounds = scaled(1e5) / shards;
  std::atomic<std::size_t> armed{0};
  std::atomic<std::size_t> disarmed{0};
  // More rounds than that, if the keeper is held up during all of them, and so loses each time.
  const time_point patience_ends = clock::now() + 60s;
  const auto goes_on = [&](std::size_t round) {
    if (HasFailure()) return false;
    return round < rounds || ((received_ == 0 || disarmed == 0) && clock::now() < patience_ends);
  };
  std::vector<std::thread> threads;
  threads.reserve(shards);
  for (std::size_t shard = 0; shard < shards; ++shard) {
    threads.emplace_back([&, shard] {
      std::mt19937_64 random{seed + shard};
      for (std::size_t i = 0; goes_on(i); ++i) {
        received_alarm one;
        armed.fetch_add(1);
        arm(one, clock::now() + std::chrono::microseconds(random() % 150), shard);
        const auto patience = std::chrono::microseconds(random() % 300);
        const time_point until = clock::now() + patience;
        while (clock::now() < until) std::this_thread::yield();
        if (keeper_.disarm(one.item)) {
          EXPECT_EQ(one.times_come(), 0U);
          disarmed.fetch_add(1);
        } else {
          EXPECT_TRUE(one.comes());
          EXPECT_GE(one.came_at, one.deadline);
        }
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(received_.load() + disarmed.load(), armed.load());
  EXPECT_GT(received_.load(), 0U);
  EXPECT_GT(disarmed.load(), 0U);
}

// The list of what has expired must not be read through timers that were given away.
TEST(timekeeper, a_job_may_arm_its_timer_again_at_once) {
  struct context {
    timekeeper* keeper = nullptr;
    std::deque<received_alarm> all = std::deque<received_alarm>(10);
    std::atomic<std::size_t> received{0};
  } shared;
  timekeeper keeper{1,
                    [](void* given, job& item) {
                      auto& to = *static_cast<context*>(given);
                      to.keeper->arm(0, static_cast<received_alarm&>(item).item, time_point::max());
                      to.received.fetch_add(1);  // now it may be disarmed
                    },
                    &nothing_to_watch, &shared};
  shared.keeper = &keeper;
  const time_point soon = clock::now() + 5ms;
  for (received_alarm& each : shared.all) keeper.arm(0, each.item, soon);
  ASSERT_TRUE(eventually([&] { return shared.received.load() >= shared.all.size(); }));
  for (received_alarm& each : shared.all) EXPECT_TRUE(keeper.disarm(each.item));
  EXPECT_EQ(shared.received.load(), shared.all.size());
}

TEST(timekeeper, ends_while_timers_wait) {
  for (std::size_t i = 0; i < scaled(1e4); ++i) {
    received_alarm never;
    std::atomic<unsigned> received{0};
    timekeeper keeper{
        1, [](void* count, job&) { static_cast<std::atomic<unsigned>*>(count)->fetch_add(1); },
        &nothing_to_watch, &received};
    if (i % 3 == 1) keeper.arm(0, never.item, time_point::max());
    if (i % 3 == 2) keeper.arm(0, never.item, clock::now() + 1h);
  }
}

}  // namespace
