#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/magpie.hpp>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// Permits are conserved and nobody is left behind, whatever is cancelled when.

namespace {

using magpie::permit;
using magpie::semaphore;
using magpie::test::eventually;
using magpie::test::scaled;

class semaphore_stress : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(semaphore_stress);

constexpr std::size_t permits = 5;

/// What the tasks of a run have in common.
struct run {
  semaphore source{permits, {.beyond = magpie::over_release::refused}};
  std::atomic<std::size_t> inside{0};
  std::atomic<std::size_t> too_many{0};
  std::atomic<std::size_t> served{0};
  std::atomic<std::size_t> cancelled{0};
};

magpie::task<> acquire_once(run& shared, std::size_t weight, bool stays) {
  try {
    const permit held = co_await shared.source.acquire(weight);
    if (shared.inside.fetch_add(weight) + weight > permits) ++shared.too_many;
    if (stays) {
      try {
        co_await magpie::yield();
      } catch (const magpie::cancelled&) {
      }
    }
    shared.inside.fetch_sub(weight);
    ++shared.served;
  } catch (const magpie::cancelled&) {
    ++shared.cancelled;
    throw;
  }
}

TEST_P(semaphore_stress, half_of_a_million_acquisitions_cancelled) {
  std::mt19937_64 random(magpie::test::announced_seed());
  run shared;
  constexpr std::size_t round = 64;
  for (std::size_t left = scaled(1e6); left != 0;) {
    const std::size_t count = std::min(left, round);
    left -= count;
    std::vector<magpie::task<>> bodies;
    for (std::size_t i = 0; i < count; ++i) {
      bodies.push_back(acquire_once(shared, 1 + random() % permits, random() % 2 == 0));
    }
    auto handles = runtime.spawn_many(std::move(bodies));
    for (auto& each : handles) {
      if (random() % 2 == 0) {
        each.cancel();
      } else if (random() % 8 == 0) {
        shared.source.resize(permits - random() % 2);
      }
    }
    shared.source.resize(permits);
    for (auto& each : handles) {
      ASSERT_TRUE(eventually([&] { return each.done(); })) << "somebody is stuck";
    }
    ASSERT_EQ(shared.source.available(), static_cast<std::int64_t>(permits));
    ASSERT_EQ(shared.source.waiting(), 0U);
  }
  EXPECT_EQ(shared.too_many, 0U);
  EXPECT_EQ(shared.inside, 0U);
  EXPECT_GT(shared.served, 0U);
}

/// All wait in a known order, some are cancelled, and the others are served in that order.
TEST_P(semaphore_stress, those_who_are_left_are_served_in_order) {
  std::mt19937_64 random(magpie::test::announced_seed());
  for (std::size_t round = scaled(2000); round != 0; --round) {
    semaphore one(0);
    std::vector<std::size_t> order;
    const auto wait = [&](std::size_t number) -> magpie::task<> {
      const permit held = co_await one.acquire();
      order.push_back(number);  // by one at a time
    };
    const auto in_order = [&]() -> magpie::task<> {
      std::vector<magpie::task_handle<>> handles;
      for (std::size_t i = 0; i < 32; ++i) {
        handles.push_back(magpie::spawn(wait(i)));
        while (one.waiting() != i + 1) co_await magpie::yield();
      }
      std::vector<bool> was_cancelled;
      for (auto& each : handles) {
        was_cancelled.push_back(random() % 2 == 0);
        if (was_cancelled.back()) each.cancel();
      }
      one.release();
      for (auto& each : handles) {
        while (!each.done()) co_await magpie::yield();
      }
      std::vector<std::size_t> expected;
      for (std::size_t i = 0; i < handles.size(); ++i) {
        if (!was_cancelled[i]) expected.push_back(i);
      }
      EXPECT_EQ(order, expected);
    };
    runtime.block_on(in_order());
    ASSERT_EQ(one.available(), 1);
  }
}

TEST_P(semaphore_stress, ten_thousand_dead_waiters_behind_a_live_one_are_reclaimed) {
  semaphore one(1);
  permit held = one.try_acquire();
  const auto take = [&]() -> magpie::task<> { const permit mine = co_await one.acquire(); };
  const auto live = runtime.spawn(take());
  ASSERT_TRUE(eventually([&] { return one.waiting() == 1; }));
  std::vector<magpie::task_handle<>> dead;
  for (std::size_t i = 0; i < 10'000; ++i) dead.push_back(runtime.spawn(take()));
  ASSERT_TRUE(eventually([&] { return one.waiting() == 10'001; }));
  for (auto& each : dead) each.cancel();
  for (const auto& each : dead) ASSERT_TRUE(eventually([&] { return each.done(); }));
  EXPECT_EQ(one.waiting(), 1U);
  EXPECT_FALSE(live.done());
  held.give_back();
  ASSERT_TRUE(eventually([&] { return live.done(); }));
  EXPECT_EQ(one.available(), 1);
}

}  // namespace
