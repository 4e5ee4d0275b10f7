#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/magpie.hpp>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// A race never returns while a contender runs, whoever wins and whatever is cancelled when.

namespace {

using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::scaled;

class race_stress : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(race_stress);

/// What all races of a run have in common.
struct tally {
  std::atomic<std::size_t> won{0};
  std::atomic<std::size_t> failed{0};
  std::atomic<std::size_t> cancelled{0};
  std::atomic<std::size_t> outlived{0};  // races that returned too early
};

enum class manner { ends_at_once, throws_at_once, yields, yields_and_throws, cleans_up, sleeps };
constexpr std::size_t manners = 6;

class presence {
 public:
  explicit presence(std::atomic<int>& running) : running_(running) { ++running_; }
  ~presence() { --running_; }
  presence(const presence&) = delete;
  presence& operator=(const presence&) = delete;

 private:
  std::atomic<int>& running_;
};

magpie::task<int> contend(std::atomic<int>& running, manner how, int number, counted) {
  const presence here(running);
  switch (how) {
    case manner::ends_at_once:
      break;
    case manner::throws_at_once:
      throw std::runtime_error("at once");
    case manner::yields:
      for (int i = number; i >= 0; --i) co_await magpie::yield();
      break;
    case manner::yields_and_throws:
      for (int i = number; i >= 0; --i) co_await magpie::yield();
      throw std::runtime_error("later");
    case manner::cleans_up: {
      bool is_told = false;
      try {
        for (int i = number; i >= 0; --i) co_await magpie::yield();
      } catch (const magpie::cancelled&) {
        is_told = true;
      }
      if (is_told) co_await magpie::yield();
      break;
    }
    case manner::sleeps:
      co_await magpie::sleep_for(std::chrono::hours(1000));
  }
  co_return number;
}

magpie::task<> race_once(tally& all, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::size_t count = 2 + random() % 7;
  std::atomic<int> running{0};
  std::vector<magpie::task<int>> contenders;
  for (std::size_t i = 0; i < count; ++i) {
    // One of them ends: a race of sleepers would go on until it is cancelled.
    const std::size_t how = i == 0 ? random() % (manners - 1) : random() % manners;
    contenders.push_back(
        contend(running, static_cast<manner>(how), static_cast<int>(random() % 4), counted()));
  }
  std::shuffle(contenders.begin(), contenders.end(), random);
  try {
    static_cast<void>(co_await magpie::race(std::move(contenders)));
    ++all.won;
  } catch (const std::runtime_error&) {
    ++all.failed;
  } catch (const magpie::cancelled&) {
    ++all.cancelled;
  }
  if (running != 0) ++all.outlived;
}

TEST_P(race_stress, losers_have_ended_when_it_returns) {
  std::mt19937_64 random(magpie::test::announced_seed());
  tally all;
  std::size_t never_begun = 0;
  const std::size_t races = scaled(1e6);
  constexpr std::size_t round = 64;
  for (std::size_t left = races; left != 0;) {
    const std::size_t count = std::min(left, round);
    left -= count;
    std::vector<magpie::task<>> bodies;
    for (std::size_t i = 0; i < count; ++i) bodies.push_back(race_once(all, random()));
    const auto handles = runtime.spawn_many(std::move(bodies));
    for (const auto& each : handles) {
      if (random() % 3 == 0) each.cancel();
    }
    for (const auto& each : handles) {
      ASSERT_TRUE(eventually([&] { return each.done(); })) << "somebody is stuck";
      never_begun += each.cancelled() ? 1 : 0;
    }
    ASSERT_EQ(all.outlived, 0U);
  }
  EXPECT_LE(all.won + all.failed + all.cancelled, races);
  EXPECT_GE(all.won + all.failed + all.cancelled + never_begun, races);
  EXPECT_GT(all.won, 0U);
  EXPECT_GT(all.failed, 0U);
  EXPECT_TRUE(eventually([] { return counted::alive() == 0; }));
}

}  // namespace
