#include "scheduler/driver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/futex.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/action.hpp"
#include "support/alarm.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

// Schedulers without workers, each driven by the thread that tests it.

namespace {

using magpie::clock;
using magpie::real_time;
using magpie::time_point;
using magpie::time_source;
using magpie::virtual_time;
using magpie::detail::parker;
using magpie::detail::scheduler;
using magpie::detail::timer;
using magpie::detail::worker;
using magpie::test::action;
using magpie::test::alarm;
using magpie::test::announced_seed;
using magpie::test::eventually;
using magpie::test::not_run_once;
using magpie::test::scaled;
using namespace std::chrono_literals;

/// A host that can sleep until it is rung for.
struct host {
  [[nodiscard]] scheduler::options settings(time_source time = real_time, std::uint64_t seed = 0) {
    const auto ring = [](void* self) noexcept {
      static_cast<host*>(self)->rings.fetch_add(1);
      static_cast<host*>(self)->bed.unpark();
    };
    return {.workers = 0, .driven = {.time = time, .seed = seed, .ring = ring}, .owner = this};
  }

  parker bed;
  std::atomic<std::size_t> rings{0};
};

/// Runs what is ready, and says how many jobs that were.
std::size_t run_ready(scheduler& home) {
  std::size_t count = 0;
  while (home.run_one()) ++count;
  return count;
}

/// Runs until `is_over`, or until the deadline.
scheduler::end_of_run run(
    scheduler& home, std::function<bool()> is_over, time_point deadline = time_point::max(),
    std::function<bool()> is_expected = [] { return false; }) {
  return home.run_until(
      {.is_over = std::move(is_over), .is_expected = std::move(is_expected), .deadline = deadline});
}

bool never() { return false; }

/// For both sources of time, with a seed and without.
struct way {
  time_source time;
  std::uint64_t seed;
};

class driver : public testing::TestWithParam<way> {
 protected:
  [[nodiscard]] bool is_virtual() const { return GetParam().time == virtual_time; }

  host mine;
  scheduler home{mine.settings(GetParam().time, GetParam().seed)};
};

INSTANTIATE_TEST_SUITE_P(of, driver,
                         testing::Values(way{real_time, 0}, way{real_time, 5}, way{virtual_time, 0},
                                         way{virtual_time, 5}),
                         [](const testing::TestParamInfo<way>& tested) {
                           const std::string time =
                               tested.param.time == virtual_time ? "virtual_time" : "real_time";
                           return time + (tested.param.seed == 0 ? "_in_order" : "_seeded");
                         });

// Running.

TEST_P(driver, has_no_workers_but_one_lane) {
  EXPECT_EQ(home.worker_count(), 0U);
  EXPECT_EQ(home.lane_count(), 1U);
  EXPECT_EQ(home.worker_here(), nullptr);
}

TEST_P(driver, runs_one_job_at_a_time_on_the_calling_thread) {
  std::deque<action> jobs(100);
  const auto caller = std::this_thread::get_id();
  for (action& each : jobs) {
    each.body = [&](worker& here) {
      EXPECT_EQ(std::this_thread::get_id(), caller);
      EXPECT_EQ(home.worker_here(), &here);
      EXPECT_EQ(worker::current(), &here);
    };
    home.submit(each);
  }
  for (std::size_t i = 1; i <= jobs.size(); ++i) {
    ASSERT_TRUE(home.run_one());
    EXPECT_EQ(
        std::accumulate(jobs.begin(), jobs.end(), std::size_t{0},
                        [](std::size_t sum, const action& each) { return sum + each.runs.load(); }),
        i);
    EXPECT_EQ(worker::current(), nullptr) << "no worker any more";
  }
  EXPECT_FALSE(home.run_one());
  EXPECT_FALSE(home.run_one());
  EXPECT_EQ(not_run_once(jobs), 0U);
}

TEST_P(driver, runs_what_the_jobs_submit_fork_and_wake) {
  std::deque<action> jobs(100'000);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].body = [&, i](worker& here) {
      for (std::size_t child = 2 * i + 1; child <= 2 * i + 2 && child < jobs.size(); ++child) {
        if (child % 3 == 0) home.submit(jobs[child]);
        if (child % 3 == 1) home.wake(jobs[child]);
        if (child % 3 != 2) continue;
        const auto offered = here.fork(jobs[child]);
        if (offered != magpie::detail::fork_lane::push_result::calm) {
          EXPECT_TRUE(here.settle_fork(jobs[child], offered));
        }
      }
    };
  }
  home.submit(jobs.front());
  EXPECT_EQ(run_ready(home), jobs.size());
  EXPECT_EQ(not_run_once(jobs), 0U);
}

TEST_P(driver, runs_all_of_many_submitted_at_once) {
  std::deque<action> jobs(1000);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].next = i + 1 < jobs.size() ? &jobs[i + 1] : nullptr;
  }
  home.submit_all(jobs.front());
  EXPECT_EQ(run_ready(home), jobs.size());
  EXPECT_EQ(not_run_once(jobs), 0U);
}

TEST_P(driver, runs_until_it_is_told_and_no_further) {
  std::deque<action> jobs(100);
  std::size_t count = 0;
  for (action& each : jobs) {
    each.body = [&](worker&) { ++count; };
    home.submit(each);
  }
  EXPECT_EQ(run(home, [&] { return count == 40; }), scheduler::end_of_run::over);
  EXPECT_EQ(count, 40U);
  EXPECT_EQ(run(home, [&] { return true; }), scheduler::end_of_run::over);
  EXPECT_EQ(count, 40U);
  EXPECT_EQ(run_ready(home), 60U);
}

TEST_P(driver, runs_at_its_end_what_is_ready_and_what_comes_of_it) {
  std::deque<action> jobs(20);
  {
    scheduler short_lived{mine.settings(GetParam().time, GetParam().seed)};
    for (std::size_t i = 0; i < 10; ++i) {
      jobs[i].body = [&, i](worker& here) { here.home().submit(jobs[10 + i]); };
      short_lived.submit(jobs[i]);
    }
    EXPECT_TRUE(short_lived.run_one());
  }
  EXPECT_EQ(not_run_once(jobs), 0U);
}

TEST_P(driver, lets_two_threads_take_turns) {
  std::atomic<std::size_t> turn{0};
  std::deque<action> jobs(scaled(1e5));
  std::size_t next = 0;  // plain, handed on with the turn
  const auto take_turns = [&](std::size_t mine_is) {
    while (turn.load() < jobs.size()) {
      if (turn.load() % 2 != mine_is) {
        std::this_thread::yield();
        continue;
      }
      home.submit(jobs[next++]);
      EXPECT_TRUE(home.run_one());
      if (next % 3 == 0) {
        EXPECT_FALSE(home.run_one());
      }
      turn.fetch_add(1);
    }
  };
  std::thread other(take_turns, 1);
  take_turns(0);
  other.join();
  EXPECT_EQ(not_run_once(jobs), 0U);
}

// There is no timekeeper to notice them.
TEST_P(driver, tells_every_job_that_asks_of_others_that_wait) {
  action long_one([](worker& here) {
    EXPECT_TRUE(here.has_others_waiting());
    EXPECT_FALSE(here.has_others_waiting()) << "once";
  });
  for (int i = 0; i < 20; ++i) {
    home.submit(long_one);
    EXPECT_TRUE(home.run_one());
  }
}

// Timers.

TEST_P(driver, fires_timers_and_never_early) {
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
    EXPECT_EQ(each.outcome, timer::state::expired);
  }
}

TEST_P(driver, fires_timers_while_jobs_are_always_ready) {
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

TEST_P(driver, ends_a_run_at_its_deadline) {
  const time_point start = home.now();
  EXPECT_EQ(run(home, never, start + 2ms), scheduler::end_of_run::deadline);
  EXPECT_GE(home.now(), start + 2ms);
  if (is_virtual()) {
    EXPECT_EQ(home.now(), start + 2ms);
  }
  EXPECT_EQ(run(home, never, start), scheduler::end_of_run::deadline) << "it is over already";
  EXPECT_GE(home.now(), start + 2ms) << "time does not go back";
}

TEST_P(driver, says_when_its_next_timer_is_due) {
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

TEST_P(driver, flushes_timers) {
  std::deque<alarm> alarms(10);
  for (alarm& each : alarms) home.arm(each.item, time_point::max());
  home.flush_timers();
  alarm late;
  home.arm(late.item, home.now() + 1h);
  EXPECT_EQ(run_ready(home), alarms.size() + 1);
  EXPECT_EQ(late.outcome, timer::state::flushed);
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

// Seeds.

/// The order in which jobs run that make each other ready, in two ways.
std::vector<std::size_t> order_for(std::uint64_t seed) {
  host mine;
  scheduler home{mine.settings(virtual_time, seed)};
  std::vector<std::size_t> order;
  std::deque<action> jobs(100'000);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].body = [&, i](worker& here) {
      order.push_back(i);
      for (std::size_t child = 3 * i + 1; child <= 3 * i + 3 && child < jobs.size(); ++child) {
        child % 2 == 0 ? here.make_ready(jobs[child]) : here.make_ready_next(jobs[child]);
      }
    };
  }
  home.submit(jobs.front());
  EXPECT_EQ(run_ready(home), jobs.size());
  EXPECT_EQ(not_run_once(jobs), 0U);
  return order;
}

TEST(driver_with_a_seed, repeats_its_order_and_differs_from_that_of_another) {
  const auto in_order = order_for(0);
  const auto first = order_for(1);
  const auto second = order_for(2);
  EXPECT_TRUE(in_order == order_for(0));
  EXPECT_TRUE(first == order_for(1));
  EXPECT_TRUE(second == order_for(2));
  EXPECT_FALSE(first == second);
  EXPECT_FALSE(first == in_order);
}

// Each of a few jobs comes first, and last, for some seed.
TEST(driver_with_a_seed, has_every_order) {
  constexpr std::size_t count = 4;
  std::vector<bool> was_first(count);
  std::vector<bool> was_last(count);
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    host mine;
    scheduler home{mine.settings(virtual_time, seed)};
    std::vector<std::size_t> order;
    std::deque<action> jobs(count);
    for (std::size_t i = 0; i < count; ++i) {
      jobs[i].body = [&order, i](worker&) { order.push_back(i); };
      home.submit(jobs[i]);
    }
    EXPECT_EQ(run_ready(home), count);
    was_first[order.front()] = true;
    was_last[order.back()] = true;
  }
  EXPECT_EQ(was_first, std::vector<bool>(count, true));
  EXPECT_EQ(was_last, std::vector<bool>(count, true));
}

// The ring.

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
