#include "scheduler/driver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <magpie/clock.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>
#include <numeric>
#include <thread>
#include <vector>

#include "support/action.hpp"
#include "support/driving.hpp"
#include "support/scale.hpp"

// Schedulers without workers, each driven by the thread that tests it.

namespace {

using magpie::virtual_time;
using magpie::detail::scheduler;
using magpie::detail::worker;
using magpie::test::action;
using magpie::test::host;
using magpie::test::not_run_once;
using magpie::test::run;
using magpie::test::run_ready;
using magpie::test::scaled;

class driver : public magpie::test::driving {};
MAGPIE_FOR_EACH_WAY_OF_DRIVING(driver);

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
    // One look at the turn for both questions: it may be handed on in between.
    for (std::size_t now = 0; (now = turn.load()) < jobs.size();) {
      if (now % 2 != mine_is) {
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

}  // namespace
