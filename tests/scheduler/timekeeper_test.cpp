#include "scheduler/timekeeper.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <magpie/clock.hpp>
#include <magpie/timer.hpp>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

namespace {

using magpie::clock;
using magpie::time_point;
using magpie::detail::job;
using magpie::detail::timekeeper;
using magpie::detail::timer;
using magpie::detail::worker;
using magpie::test::announced_seed;
using magpie::test::eventually;
using magpie::test::scaled;
using namespace std::chrono_literals;

// A timer with its job, which is received and never run.
struct alarm : job {
  alarm() noexcept : job([](job&, worker&) noexcept {}) {}

  timer item{*this};
  time_point deadline{};
  // Written by the thread that hands the job on, before `times` (release).
  time_point came_at{};
  timer::state outcome = timer::state::pending;
  std::size_t place = 0;
  std::atomic<unsigned> times{0};
};

class timekeeper_test : public testing::Test {
 protected:
  static constexpr std::size_t shards = 3;

  void arm(alarm& one, time_point deadline, std::size_t shard = 0) {
    one.deadline = deadline;
    keeper_.arm(shard, one.item, deadline);
  }

  [[nodiscard]] static bool comes(const alarm& one) {
    return eventually([&] { return one.times.load(std::memory_order_acquire) != 0; });
  }

  std::atomic<std::size_t> received_{0};
  timekeeper keeper_{shards,
                     [](void* received, job& item) {
                       auto& one = static_cast<alarm&>(item);
                       one.came_at = clock::now();
                       one.outcome = one.item.outcome;
                       one.place = static_cast<std::atomic<std::size_t>*>(received)->fetch_add(1);
                       one.times.fetch_add(1, std::memory_order_release);
                     },
                     &received_};
};

TEST_F(timekeeper_test, hands_on_once_and_never_early) {
  alarm one;
  arm(one, clock::now() + 3ms);
  ASSERT_TRUE(comes(one));
  EXPECT_GE(one.came_at, one.deadline);
  EXPECT_EQ(one.outcome, timer::state::expired);
  EXPECT_FALSE(keeper_.disarm(one.item));
  EXPECT_EQ(one.times.load(), 1U);
}

// Deadlines anywhere within a tick of 65.5 us: rounding down would show as early.
TEST_F(timekeeper_test, is_not_early_by_a_fraction_of_a_tick) {
  for (int i = 0; i < 100; ++i) {
    alarm one;
    arm(one, clock::now() + 100us + i * 657ns, static_cast<std::size_t>(i) % shards);
    ASSERT_TRUE(comes(one));
    ASSERT_GE(one.came_at, one.deadline);
  }
}

TEST_F(timekeeper_test, a_deadline_in_the_past_comes_at_once) {
  std::deque<alarm> all(4);
  arm(all[0], clock::now());
  arm(all[1], clock::now() - 1h);
  arm(all[2], time_point{});
  arm(all[3], time_point::min());
  for (const alarm& each : all) {
    EXPECT_TRUE(comes(each));
    EXPECT_EQ(each.outcome, timer::state::expired);
  }
}

TEST_F(timekeeper_test, a_deadline_in_the_past_comes_while_a_far_one_waits) {
  alarm far;
  arm(far, clock::now() + 1h, 1);
  for (std::size_t shard = 0; shard < shards; ++shard) {
    alarm near;
    arm(near, time_point{}, shard);
    EXPECT_TRUE(comes(near));
  }
  EXPECT_TRUE(keeper_.disarm(far.item));
}

TEST_F(timekeeper_test, the_last_moment_of_the_clock_does_not_come) {
  alarm never;
  alarm near;
  arm(never, time_point::max());
  arm(near, clock::now() + 1ms);
  ASSERT_TRUE(comes(near));
  EXPECT_EQ(never.times.load(), 0U);
  EXPECT_TRUE(keeper_.disarm(never.item));
  EXPECT_FALSE(keeper_.disarm(never.item));
}

TEST_F(timekeeper_test, a_disarmed_timer_does_not_come_and_may_be_armed_again) {
  alarm one;
  alarm later;
  const time_point soon = clock::now() + 2ms;
  arm(one, soon, 1);
  ASSERT_TRUE(keeper_.disarm(one.item));
  arm(later, soon + 1ms, 1);
  ASSERT_TRUE(comes(later));
  EXPECT_EQ(one.times.load(), 0U);
  arm(one, clock::now() + 1ms, 2);
  ASSERT_TRUE(comes(one));
  EXPECT_GE(one.came_at, one.deadline);
}

// The thread sleeps to the first timer; one that comes before must wake it.
TEST_F(timekeeper_test, an_earlier_timer_overtakes_those_that_wait) {
  std::deque<alarm> all(20);
  const time_point start = clock::now();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto steps = static_cast<std::int64_t>(all.size() - i);
    arm(all[i], start + 20ms + steps * 500us, i % shards);
  }
  alarm hour;
  arm(hour, start + 1h);
  for (const alarm& each : all) EXPECT_TRUE(comes(each));
  for (const alarm& each : all) {
    EXPECT_GE(each.came_at, each.deadline);
    EXPECT_LT(each.came_at, start + 30min) << "it came with the last timer only";
  }
  EXPECT_TRUE(keeper_.disarm(hour.item));
}

// The wheel knows only the start of a far slot, so the thread wakes on the way; that is no reason
// to hand anything on.
TEST_F(timekeeper_test, many_in_random_order) {
  std::mt19937_64 random{announced_seed()};
  std::deque<alarm> all(3000);
  const time_point start = clock::now();
  for (alarm& each : all) {
    arm(each, start + std::chrono::nanoseconds(random() % 60'000'000), random() % shards);
  }
  for (const alarm& each : all) {
    ASSERT_TRUE(comes(each));
    ASSERT_GE(each.came_at, each.deadline);
    ASSERT_EQ(each.outcome, timer::state::expired);
    ASSERT_EQ(each.times.load(), 1U);
  }
}

TEST_F(timekeeper_test, the_timers_of_a_shard_come_in_order) {
  std::mt19937_64 random{announced_seed()};
  constexpr auto tick = std::chrono::nanoseconds(std::int64_t{1} << 16);
  std::deque<alarm> all(300);
  std::vector<std::int64_t> distances(all.size());
  std::iota(distances.begin(), distances.end(), 0);
  std::shuffle(distances.begin(), distances.end(), random);
  const time_point start = clock::now() + 10ms;
  for (std::size_t i = 0; i < all.size(); ++i) arm(all[i], start + distances[i] * tick);
  for (const alarm& each : all) ASSERT_TRUE(comes(each));
  // All were armed before the first was due, unless this thread was held up.
  if (clock::now() - start > 10s) GTEST_SKIP() << "the machine is too busy to tell";
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].place, static_cast<std::size_t>(distances[i]));
  }
}

TEST_F(timekeeper_test, flush_hands_on_everything_that_waits_and_all_that_comes_later) {
  std::deque<alarm> all(100);
  for (std::size_t i = 0; i < all.size(); ++i) {
    arm(all[i], i % 2 == 0 ? time_point::max() : clock::now() + 1h, i % shards);
  }
  keeper_.flush();
  for (const alarm& each : all) {
    EXPECT_EQ(each.times.load(std::memory_order_acquire), 1U);
    EXPECT_EQ(each.outcome, timer::state::flushed);
    EXPECT_FALSE(keeper_.disarm(const_cast<alarm&>(each).item));
  }
  for (std::size_t shard = 0; shard < shards; ++shard) {
    alarm late;
    arm(late, clock::now() + 1h, shard);
    EXPECT_EQ(late.times.load(std::memory_order_acquire), 1U);
    EXPECT_EQ(late.outcome, timer::state::flushed);
    EXPECT_FALSE(keeper_.disarm(late.item));
  }
  keeper_.flush();
  EXPECT_EQ(received_.load(), all.size() + shards);
}

// Either disarm() says true and the job does not come, or false and it comes once.
TEST_F(timekeeper_test, disarm_against_expiry_has_one_winner) {
  const std::uint64_t seed = announced_seed();
  const std::size_t rounds = scaled(1e5) / shards;
  std::atomic<std::size_t> disarmed{0};
  std::vector<std::thread> threads;
  threads.reserve(shards);
  for (std::size_t shard = 0; shard < shards; ++shard) {
    threads.emplace_back([&, shard] {
      std::mt19937_64 random{seed + shard};
      for (std::size_t i = 0; i < rounds && !HasFailure(); ++i) {
        alarm one;
        arm(one, clock::now() + std::chrono::microseconds(random() % 150), shard);
        const auto patience = std::chrono::microseconds(random() % 300);
        const time_point until = clock::now() + patience;
        while (clock::now() < until) std::this_thread::yield();
        if (keeper_.disarm(one.item)) {
          EXPECT_EQ(one.times.load(), 0U);
          disarmed.fetch_add(1);
        } else {
          EXPECT_TRUE(comes(one));
          EXPECT_EQ(one.outcome, timer::state::expired);
          EXPECT_GE(one.came_at, one.deadline);
        }
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(received_.load() + disarmed.load(), rounds * shards);
  EXPECT_GT(received_.load(), 0U);
  EXPECT_GT(disarmed.load(), 0U);
}

// The list of what has expired must not be read through timers that were given away.
TEST(timekeeper, a_job_may_arm_its_timer_again_at_once) {
  struct context {
    timekeeper* keeper = nullptr;
    std::deque<alarm> all = std::deque<alarm>(10);
    std::atomic<std::size_t> received{0};
  } shared;
  timekeeper keeper{1,
                    [](void* given, job& item) {
                      auto& to = *static_cast<context*>(given);
                      to.received.fetch_add(1);
                      to.keeper->arm(0, static_cast<alarm&>(item).item, time_point::max());
                    },
                    &shared};
  shared.keeper = &keeper;
  const time_point soon = clock::now() + 5ms;
  for (alarm& each : shared.all) keeper.arm(0, each.item, soon);
  ASSERT_TRUE(eventually([&] { return shared.received.load() >= shared.all.size(); }));
  for (alarm& each : shared.all) {
    EXPECT_TRUE(eventually([&] { return keeper.disarm(each.item); }));
  }
  EXPECT_EQ(shared.received.load(), shared.all.size());
}

TEST(timekeeper, ends_while_timers_wait) {
  for (std::size_t i = 0; i < scaled(1e4); ++i) {
    alarm never;
    std::atomic<unsigned> received{0};
    timekeeper keeper{
        1, [](void* count, job&) { static_cast<std::atomic<unsigned>*>(count)->fetch_add(1); },
        &received};
    if (i % 3 == 1) keeper.arm(0, never.item, time_point::max());
    if (i % 3 == 2) keeper.arm(0, never.item, clock::now() + 1h);
  }
}

}  // namespace
