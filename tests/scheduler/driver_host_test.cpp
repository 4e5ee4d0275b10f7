#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <magpie/clock.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>
#include <random>
#include <thread>
#include <vector>

#include "support/action.hpp"
#include "support/alarm.hpp"
#include "support/driving.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

// The ring by which a scheduler without workers calls its host.

namespace {

using magpie::clock;
using magpie::time_point;
using magpie::detail::scheduler;
using magpie::detail::worker;
using magpie::test::action;
using magpie::test::alarm;
using magpie::test::announced_seed;
using magpie::test::eventually;
using magpie::test::host;
using magpie::test::not_run_once;
using magpie::test::run;
using magpie::test::run_ready;
using magpie::test::scaled;
using namespace std::chrono_literals;

TEST(driver_of_a_host, is_rung_for_once_after_it_found_nothing) {
  host mine;
  scheduler home{mine.settings()};
  std::deque<action> jobs(10);
  std::thread([&] { home.submit(jobs[0]); }).join();
  EXPECT_EQ(mine.rings, 0U) << "nobody has asked in vain yet";
  EXPECT_TRUE(home.run_one());
  std::thread([&] { home.submit(jobs[1]); }).join();
  EXPECT_EQ(mine.rings, 0U);
  EXPECT_EQ(run_ready(home), 1U);
  std::thread([&] {
    home.submit(jobs[2]);
    home.submit(jobs[3]);
  }).join();
  EXPECT_EQ(mine.rings, 1U);
  EXPECT_EQ(run_ready(home), 2U);
  home.submit(jobs[4]);  // by the host's own thread
  EXPECT_EQ(mine.rings, 2U);
  EXPECT_EQ(run_ready(home), 1U);
  EXPECT_FALSE(home.run_one());
  EXPECT_EQ(mine.rings, 2U);
}

TEST(driver_of_a_host, is_rung_for_when_a_timer_is_armed_elsewhere) {
  host mine;
  scheduler home{mine.settings()};
  EXPECT_FALSE(home.run_one());
  alarm one;
  const time_point deadline = clock::now() + 2ms;
  std::thread([&] { home.arm(one.item, deadline); }).join();
  EXPECT_EQ(mine.rings, 1U);
  EXPECT_LE(home.next_deadline(), deadline);
  EXPECT_EQ(run(home, [&] { return one.times_come() == 1; }), scheduler::end_of_run::over);
  EXPECT_GE(one.came_at, deadline);
}

TEST(driver_of_a_host, wakes_in_a_run_for_what_others_submit_and_arm) {
  host mine;
  scheduler home{mine.settings()};
  for (std::size_t i = 0; i < scaled(1e4); ++i) {
    action one;
    alarm another;
    std::thread other([&] {
      home.submit(one);
      home.arm(another.item, clock::now() + 100us);
    });
    EXPECT_EQ(run(home, [&] { return one.has_run() && another.times_come() == 1; }),
              scheduler::end_of_run::over);
    other.join();
  }
}

// A host that sleeps, without a limit, until it is rung for: what is lost on the way is lost for
// ever.
TEST(driver_of_a_host, loses_nothing_that_foreign_threads_submit) {
  const std::uint64_t seed = announced_seed();
  constexpr std::size_t threads = 4;
  const std::size_t count = scaled(2e6) / threads;
  std::vector<std::deque<action>> jobs(threads);
  std::atomic<std::size_t> done{0};
  host mine;
  scheduler home{mine.settings()};
  for (auto& each : jobs) {
    each.resize(count);
    for (action& one : each) one.body = [&](worker&) { done.fetch_add(1); };
  }
  std::vector<std::thread> submitters;
  for (std::size_t t = 0; t < threads; ++t) {
    submitters.emplace_back([&, t] {
      std::mt19937_64 random{seed + t};
      for (action& each : jobs[t]) {
        home.submit(each);
        // Waits at times until all is done, so that the host is about to sleep when it goes on.
        if (random() % 8 == 0) static_cast<void>(eventually([&] { return each.has_run(); }));
      }
    });
  }
  while (done.load() < threads * count) {
    if (!home.run_one()) mine.bed.park();
  }
  for (std::thread& each : submitters) each.join();
  EXPECT_EQ(run_ready(home), 0U);
  for (const auto& each : jobs) EXPECT_EQ(not_run_once(each), 0U);
  EXPECT_LE(mine.rings, threads * count);
}

TEST(driver_of_a_host, aborts_when_two_threads_drive_at_a_time) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        host mine;
        scheduler home{mine.settings()};
        action long_one(
            [&](worker&) { std::thread([&] { static_cast<void>(home.run_one()); }).join(); });
        home.submit(long_one);
        static_cast<void>(home.run_one());
      },
      "expected a runtime without workers to be driven by one thread at a time");
}

}  // namespace
