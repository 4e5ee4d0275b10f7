#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>
#include <random>
#include <string>

#include "support/action.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// Workers fall asleep without a time limit while jobs come, at every point of their way to sleep: a
// wake-up that is lost shows as a job that never runs.

namespace {

using magpie::worker_statistics;
using magpie::detail::job;
using magpie::detail::scheduler;
using magpie::detail::worker;
using magpie::test::action;
using magpie::test::announced_seed;
using magpie::test::eventually;
using magpie::test::reaches;
using magpie::test::scaled;

std::size_t parks_of(const scheduler& home) {
  std::size_t sum = 0;
  for (const worker_statistics& each : home.statistics()) sum += each.parks;
  return sum;
}

/// Of all lengths up to several times as long as a worker looks around before it sleeps.
void pause(std::mt19937_64& random) {
  const std::chrono::nanoseconds length(random() % (1U << (6 + random() % 10)));
  const auto until = std::chrono::steady_clock::now() + length;
  while (std::chrono::steady_clock::now() < until) {
  }
}

class parking : public magpie::test::each_worker_count {};
MAGPIE_FOR_EACH_WORKER_COUNT(parking);

TEST_P(parking, no_submission_finds_all_asleep_for_ever) {
  std::mt19937_64 random{announced_seed()};
  const std::size_t parks = scaled(1e6) / 3;  // for there are three numbers of workers
  scheduler home{{.workers = GetParam()}};
  while (parks_of(home) < parks) {
    for (int i = 0; i < 64; ++i) {
      action one;
      home.submit(one);
      ASSERT_TRUE(eventually([&] { return one.has_run(); }));
      pause(random);
    }
  }
}

/// A job that two players hand to and fro. Each holds it for a while, so that the other is anywhere
/// on its way to sleep when it gets it.
class ball {
 public:
  explicit ball(std::size_t exchanges) : exchanges_(exchanges), random_(announced_seed()) {}

  /// One exchange; `pass` gives the job to the other player. The job runs on one worker at a time.
  template <class Pass>
  void play(Pass pass) {
    pause(random_);
    const std::size_t played = played_.load(std::memory_order_relaxed) + 1;
    const bool goes_on = played < exchanges_;
    // The last touch, when the game ends with it.
    played_.store(played, std::memory_order_release);
    if (goes_on) pass();
  }

  [[nodiscard]] std::size_t played() const { return played_.load(std::memory_order_acquire); }
  [[nodiscard]] bool is_played_out() const {
    return reaches([this] { return played(); }, exchanges_);
  }

 private:
  const std::size_t exchanges_;
  std::mt19937_64 random_;
  std::atomic<std::size_t> played_{0};
};

// Whoever plays keeps its worker busy until the other has the ball, so the other one must wake.
TEST(parking_of_two, workers_of_one_scheduler_wake_each_other) {
  const std::size_t exchanges = scaled(5e5);
  ball one{exchanges};
  std::deque<action> players(2);
  scheduler home{{.workers = 2}};
  for (std::size_t i = 0; i < players.size(); ++i) {
    players[i].body = [&one, &other = players[1 - i]](worker& here) {
      one.play([&] {
        const std::size_t before = one.played();
        here.make_ready(other);
        EXPECT_TRUE(eventually([&] { return one.played() != before; })) << "exchange " << before;
      });
    };
  }
  home.submit(players[0]);
  ASSERT_TRUE(one.is_played_out());
  // The players before the last one still look at the ball.
  EXPECT_TRUE(eventually([&] { return players[0].runs + players[1].runs == exchanges; }));
  // Beside a busy worker it may nap instead of parking.
  std::uint64_t sleeps = 0;
  for (const auto& each : home.statistics()) sleeps += each.parks + each.naps;
  EXPECT_GT(sleeps, 0U);
}

// A worker of one is a foreign thread to the other.
TEST(parking_of_two, workers_of_two_schedulers_wake_each_other) {
  const std::size_t exchanges = scaled(5e5);
  ball one{exchanges};
  std::deque<scheduler> homes;
  for (int i = 0; i < 2; ++i) homes.emplace_back(scheduler::options{.workers = 1});
  std::deque<action> players(2);
  for (std::size_t i = 0; i < players.size(); ++i) {
    players[i].body = [&one, &there = homes[1 - i], &other = players[1 - i]](worker&) {
      one.play([&] { there.submit(other); });
    };
  }
  homes[0].submit(players[0]);
  ASSERT_TRUE(one.is_played_out());
  EXPECT_TRUE(eventually([&] { return players[0].runs + players[1].runs == exchanges; }));
  EXPECT_GT(parks_of(homes[0]), 0U);
  EXPECT_GT(parks_of(homes[1]), 0U);
}

}  // namespace
