#include <magpie/detail/scheduler.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <magpie/clock.hpp>
#include <magpie/detail/timer.hpp>
#include <magpie/detail/worker.hpp>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "support/action.hpp"
#include "support/alarm.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

namespace {

using magpie::clock;
using magpie::time_point;
using magpie::worker_statistics;
using magpie::detail::scheduler;
using magpie::detail::timer;
using magpie::detail::worker;
using magpie::test::action;
using magpie::test::alarm;
using magpie::test::all_have_run;
using magpie::test::announced_seed;
using magpie::test::eventually;
using magpie::test::not_run_once;
using magpie::test::scaled;
using namespace std::chrono_literals;

std::uint64_t jobs_of(const scheduler& home) {
  std::uint64_t sum = 0;
  for (const worker_statistics& each : home.statistics()) sum += each.jobs;
  return sum;
}

class scheduler_test : public magpie::test::each_worker_count {
 protected:
  [[nodiscard]] scheduler::options settings() const { return {.workers = GetParam()}; }
};

MAGPIE_FOR_EACH_WORKER_COUNT(scheduler_test);

TEST_P(scheduler_test, starts_and_ends_without_work) {
  for (std::size_t i = 0; i < scaled(5e3); ++i) {
    const scheduler home{settings()};
    ASSERT_EQ(home.worker_count(), GetParam());
    ASSERT_EQ(home.statistics().size(), GetParam());
  }
}

TEST_P(scheduler_test, jobs_of_foreign_threads_run_once_each) {
  constexpr std::size_t threads = 4;
  const std::size_t jobs = scaled(1e6) / threads;
  std::vector<std::deque<action>> all(threads);
  for (std::deque<action>& each : all) each.resize(jobs);
  scheduler home{settings()};
  std::vector<std::thread> running;
  running.reserve(threads);
  for (std::deque<action>& mine : all) {
    running.emplace_back([&] {
      for (action& each : mine) home.submit(each);
    });
  }
  for (std::thread& each : running) each.join();
  for (const std::deque<action>& each : all) EXPECT_TRUE(all_have_run(each));
  for (const std::deque<action>& each : all) EXPECT_EQ(not_run_once(each), 0U);
  EXPECT_EQ(jobs_of(home), jobs * threads);
}

// Each job comes when the workers have gone to sleep, or are about to.
TEST_P(scheduler_test, no_single_job_is_left_behind) {
  std::mt19937_64 random{announced_seed()};
  std::deque<action> jobs(scaled(5e5));
  scheduler home{settings()};
  for (action& one : jobs) {
    home.submit(one);
    ASSERT_TRUE(eventually([&] { return one.has_run(); }));
    for (std::uint64_t turns = random() % (1U << random() % 14); turns > 0; --turns) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
  }
  EXPECT_EQ(not_run_once(jobs), 0U);
}

// One job a generation submits the next ones, on whatever worker it runs.
TEST_P(scheduler_test, jobs_that_workers_submit_run_once_each) {
  std::deque<action> jobs(scaled(1e6));
  scheduler home{settings()};
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].body = [&, i](worker& here) {
      EXPECT_EQ(&here.home(), &home);
      for (std::size_t child = 2 * i + 1; child <= 2 * i + 2 && child < jobs.size(); ++child) {
        home.submit(jobs[child]);
      }
    };
  }
  home.submit(jobs.front());
  EXPECT_TRUE(all_have_run(jobs));
  EXPECT_EQ(not_run_once(jobs), 0U);
  EXPECT_EQ(jobs_of(home), jobs.size());
}

TEST_P(scheduler_test, what_was_written_before_submit_is_seen_by_the_job) {
  std::deque<action> jobs(scaled(1e5));
  std::vector<std::size_t> values(jobs.size());  // plain, each handed on by a submit
  std::atomic<std::size_t> wrong{0};
  scheduler home{settings()};
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].body = [&, i](worker&) {
      if (values[i] != i + 1) wrong.fetch_add(1);
      if (i + 1 == jobs.size()) return;
      values[i + 1] = i + 2;
      home.submit(jobs[i + 1]);
    };
  }
  values[0] = 1;
  home.submit(jobs[0]);
  EXPECT_TRUE(all_have_run(jobs));
  EXPECT_EQ(wrong.load(), 0U);
}

TEST_P(scheduler_test, destruction_runs_what_is_ready_and_what_comes_of_it) {
  for (std::size_t round = 0; round < scaled(5e3); ++round) {
    std::deque<action> jobs(64);
    {
      scheduler home{settings()};
      for (std::size_t i = 0; i < 32; ++i) {
        jobs[i].body = [&, i](worker& here) { here.home().submit(jobs[32 + i]); };
        home.submit(jobs[i]);
      }
    }
    ASSERT_EQ(not_run_once(jobs), 0U);
  }
}

// The thread that submitted it may still be inside submit() then.
TEST_P(scheduler_test, the_end_may_come_as_soon_as_the_last_job_has_run) {
  for (std::size_t round = 0; round < scaled(2e4); ++round) {
    action one;
    auto home = std::make_unique<scheduler>(settings());
    std::thread caller([&one, &all = *home] { all.submit(one); });
    ASSERT_TRUE(eventually([&] { return one.has_run(); }));
    home.reset();
    caller.join();
  }
}

// Each worker is held up in a job of its own; then some wake-up chain has reached all of them.
TEST_P(scheduler_test, as_many_jobs_run_at_a_time_as_there_are_workers) {
  std::atomic<std::size_t> at_work{0};
  std::deque<action> jobs(GetParam());
  scheduler home{settings()};
  for (action& each : jobs) {
    each.body = [&](worker&) {
      at_work.fetch_add(1);
      EXPECT_TRUE(eventually([&] { return at_work.load() == jobs.size(); }));
    };
    home.submit(each);
  }
  EXPECT_TRUE(all_have_run(jobs));
}

TEST_P(scheduler_test, statistics_add_up) {
  std::deque<action> jobs(10'000);
  scheduler home{settings()};
  const auto burn = [](worker&) {
    const time_point until = clock::now() + 10us;
    while (clock::now() < until) {
    }
  };
  for (action& each : jobs) each.body = burn;
  action source{[&](worker& here) {
    for (action& each : jobs) here.make_ready(each);
  }};
  home.submit(source);
  ASSERT_TRUE(all_have_run(jobs));
  EXPECT_EQ(jobs_of(home), jobs.size() + 1);
  std::chrono::nanoseconds time{0};
  for (const worker_statistics& each : home.statistics()) {
    EXPECT_LE(each.steals, each.jobs);
    time += each.cpu_time;
    if (GetParam() == 1) {
      EXPECT_EQ(each.steals, 0U);
    }
  }
  EXPECT_GT(time, 1ms);
}

// While all workers sleep, one job costs few of them their sleep. When some are only about to fall
// asleep, which cannot be seen, it may cost them a second look: then the next job will tell.
TEST_P(scheduler_test, workers_without_work_sleep) {
  scheduler home{settings()};
  const auto parks = [&] {
    std::uint64_t sum = 0;
    for (const worker_statistics& each : home.statistics()) sum += each.parks;
    return sum;
  };
  ASSERT_TRUE(eventually([&] { return parks() >= GetParam(); }));
  EXPECT_TRUE(eventually([&] {
    const std::uint64_t before = parks();
    alarm one;
    home.arm(one.item, clock::now() + 20ms);
    EXPECT_TRUE(one.comes());
    return parks() - before <= 3;
  }));
}

TEST_P(scheduler_test, schedulers_in_one_process_are_apart) {
  constexpr std::size_t count = 3;
  std::deque<scheduler> homes;
  std::deque<action> jobs(300);
  for (std::size_t i = 0; i < count; ++i) homes.emplace_back(settings());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].body = [&, i](worker& here) {
      EXPECT_EQ(&here.home(), &homes[i % count]);
      // A worker of one is a foreign thread to the next.
      if (i + 1 < jobs.size()) homes[(i + 1) % count].submit(jobs[i + 1]);
    };
  }
  homes[0].submit(jobs[0]);
  EXPECT_TRUE(all_have_run(jobs));
  EXPECT_EQ(not_run_once(jobs), 0U);
  for (const scheduler& each : homes) EXPECT_EQ(jobs_of(each), jobs.size() / count);
}

TEST_P(scheduler_test, timers_run_their_jobs_and_never_early) {
  std::mt19937_64 random{announced_seed()};
  std::deque<alarm> alarms(600);
  std::vector<std::chrono::nanoseconds> delays;
  delays.reserve(alarms.size());
  for (std::size_t i = 0; i < alarms.size(); ++i) delays.emplace_back(random() % 20'000'000);
  std::deque<action> arming(alarms.size());
  scheduler home{settings()};
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    arming[i].body = [&, i](worker&) {
      alarms[i].deadline = clock::now() + delays[i];
      home.arm(alarms[i].item, alarms[i].deadline);
    };
    if (i % 3 == 0) {  // from a foreign thread, as well as from workers
      alarms[i].deadline = clock::now() + delays[i];
      home.arm(alarms[i].item, alarms[i].deadline);
    } else {
      home.submit(arming[i]);
    }
  }
  for (const alarm& each : alarms) {
    ASSERT_TRUE(each.comes());
    ASSERT_GE(each.came_at, each.deadline);
    ASSERT_EQ(each.times_come(), 1U);
  }
}

TEST_P(scheduler_test, disarmed_timers_do_not_run_their_jobs) {
  std::deque<alarm> alarms(100);
  alarm last;
  scheduler home{settings()};
  const time_point soon = clock::now() + 3ms;
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    home.arm(alarms[i].item, i % 2 == 0 ? soon : time_point::max());
  }
  std::vector<bool> was_armed;
  was_armed.reserve(alarms.size());
  for (alarm& each : alarms) was_armed.push_back(home.disarm(each.item));
  home.arm(last.item, soon + 1ms);
  ASSERT_TRUE(last.comes());
  EXPECT_FALSE(home.disarm(last.item));
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    if (i % 2 != 0) {
      EXPECT_TRUE(was_armed[i]);
    }
    if (was_armed[i]) {
      EXPECT_EQ(alarms[i].times_come(), 0U);
    } else {
      EXPECT_TRUE(alarms[i].comes());
    }
  }
}

}  // namespace
