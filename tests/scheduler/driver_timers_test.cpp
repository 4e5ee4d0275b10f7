#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <magpie/clock.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/timer.hpp>
#include <magpie/detail/worker.hpp>
#include <random>
#include <thread>
#include <vector>

#include "support/action.hpp"
#include "support/alarm.hpp"
#include "support/driving.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"

// The time of schedulers without workers.

namespace {

using magpie::time_point;
using magpie::virtual_time;
using magpie::detail::scheduler;
using magpie::detail::timer;
using magpie::detail::worker;
using magpie::test::action;
using magpie::test::alarm;
using magpie::test::announced_seed;
using magpie::test::eventually;
using magpie::test::host;
using magpie::test::never;
using magpie::test::run;
using magpie::test::run_ready;
using namespace std::chrono_literals;

class driver_with_timers : public magpie::test::driving {};
MAGPIE_FOR_EACH_WAY_OF_DRIVING(driver_with_timers);

TEST_P(driver_with_timers, fires_timers_and_never_early) {
  std::mt19937_64 random{announced_seed()};
  std::deque<alarm> alarms(300);
  std::vector<time_point> came(alarms.size());
  std::deque<action> armers(alarms.size());
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    const std::chrono::nanoseconds delay(random() % 20'000'000);
    armers[i].body = [&, i, delay](worker&) {
      alarms[i].deadline = home.now() + delay;
      home.arm(alarms[i].item, alarms[i].deadline);
    };
    home.submit(armers[i]);
  }
  std::size_t seen = 0;
  const auto all_have_come = [&] {
    for (std::size_t i = 0; i < alarms.size(); ++i) {
      if (came[i] != time_point{} || alarms[i].times_come() == 0) continue;
      came[i] = home.now();
      EXPECT_GE(came[i], alarms[i].deadline);
      if (is_virtual()) {
        EXPECT_EQ(came[i], alarms[i].deadline) << "time stands where its timer stood";
      }
      ++seen;
    }
    return seen == alarms.size();
  };
  EXPECT_EQ(run(home, all_have_come), scheduler::end_of_run::over);
  for (const alarm& each : alarms) {
    EXPECT_EQ(each.times_come(), 1U);
  }
}

TEST_P(driver_with_timers, fires_timers_while_jobs_are_always_ready) {
  // One makes the other ready, and that the one.
  action a;
  action b;
  a.body = [&](worker&) { home.submit(b); };
  b.body = [&](worker&) { home.submit(a); };
  home.submit(a);
  alarm past;
  home.arm(past.item, home.now() - 1ms);
  alarm soon;
  if (!is_virtual()) home.arm(soon.item, home.now() + 1ms);
  const auto have_come = [&] {
    return past.times_come() == 1 && (is_virtual() || soon.times_come() == 1);
  };
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(home.run_one());
    return have_come();
  }));
  a.body = {};
  b.body = {};
  EXPECT_LE(run_ready(home), 1U);
}

TEST_P(driver_with_timers, ends_a_run_at_its_deadline) {
  const time_point start = home.now();
  EXPECT_EQ(run(home, never, start + 2ms), scheduler::end_of_run::deadline);
  EXPECT_GE(home.now(), start + 2ms);
  if (is_virtual()) {
    EXPECT_EQ(home.now(), start + 2ms);
  }
  EXPECT_EQ(run(home, never, start), scheduler::end_of_run::deadline) << "it is over already";
  EXPECT_GE(home.now(), start + 2ms) << "time does not go back";
}

TEST_P(driver_with_timers, says_when_its_next_timer_is_due) {
  EXPECT_EQ(home.next_deadline(), time_point::max());
  alarm far;
  alarm near;
  const time_point start = home.now();
  home.arm(far.item, start + 1h);
  EXPECT_LE(home.next_deadline(), start + 1h);
  home.arm(near.item, start + 3ms);
  EXPECT_LE(home.next_deadline(), start + 3ms);
  EXPECT_EQ(run(home, [&] { return near.times_come() == 1; }), scheduler::end_of_run::over);
  EXPECT_GT(home.next_deadline(), start + 3ms);
  EXPECT_LE(home.next_deadline(), start + 1h);
  EXPECT_TRUE(home.disarm(far.item));
  EXPECT_EQ(home.next_deadline(), time_point::max());
}

// Virtual time.

TEST(driver_of_virtual_time, is_stuck_when_there_will_never_be_anything_to_do) {
  host mine;
  scheduler home{mine.settings(virtual_time)};
  EXPECT_EQ(run(home, never), scheduler::end_of_run::deadlock);
  action one;
  home.submit(one);
  alarm later;
  home.arm(later.item, home.now() + 1000h);
  EXPECT_EQ(run(home, never), scheduler::end_of_run::deadlock);
  EXPECT_TRUE(one.has_run());
  EXPECT_EQ(later.times_come(), 1U);
  EXPECT_EQ(home.now(), time_point{} + 1000h);
}

TEST(driver_of_virtual_time, stands_still_while_others_are_at_work) {
  host mine;
  scheduler home{mine.settings(virtual_time)};
  std::atomic<bool> is_at_work{true};
  action from_outside;
  alarm later;
  home.arm(later.item, home.now() + 1h);
  time_point came{};
  from_outside.body = [&](worker&) { came = home.now(); };
  std::atomic<bool> is_asked{false};
  std::thread other([&] {
    EXPECT_TRUE(eventually([&] { return is_asked.load(); }));
    home.submit(from_outside);
    is_at_work = false;
  });
  const auto is_expected = [&] {
    is_asked = true;
    return is_at_work.load();
  };
  EXPECT_EQ(run(home, never, time_point::max(), is_expected), scheduler::end_of_run::deadlock);
  other.join();
  EXPECT_TRUE(from_outside.has_run());
  EXPECT_EQ(came, time_point{}) << "before the hour";
  EXPECT_EQ(later.times_come(), 1U);
}

}  // namespace
