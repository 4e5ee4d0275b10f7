#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>
#include <numeric>
#include <vector>

#include "support/action.hpp"
#include "support/eventually.hpp"
#include "support/worker_counts.hpp"

// The ready lane: the slot, the ring of 256, and the overflow behind it.

namespace {

using magpie::detail::scheduler;
using magpie::detail::worker;
using magpie::test::action;
using magpie::test::all_have_run;
using magpie::test::eventually;
using magpie::test::not_run_once;

// More than ring and thieves' handfuls hold.
constexpr std::size_t many = 10'000;

/// Jobs that note in which order they run on the only worker of a scheduler.
class worker_ready_order : public testing::Test {
 protected:
  /// A job with the next number.
  action& job() {
    const int number = static_cast<int>(jobs_.size());
    return jobs_.emplace_back([this, number](worker&) { order.push_back(number); });
  }

  /// Runs `begin` on the worker, waits until all jobs have run, and ends the scheduler.
  void run(std::function<void(worker&)> begin) {
    action owner{std::move(begin)};
    scheduler home{{.workers = 1}};
    home.submit(owner);
    EXPECT_TRUE(eventually([&] { return owner.has_run(); }));
    EXPECT_TRUE(all_have_run(jobs_));
    EXPECT_EQ(not_run_once(jobs_), 0U);
  }

  [[nodiscard]] static std::vector<int> up_to(std::size_t count) {
    std::vector<int> numbers(count);
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
  }

  /// The jobs, linked.
  [[nodiscard]] action& linked() {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      jobs_[i].next = i + 1 < jobs_.size() ? &jobs_[i + 1] : nullptr;
    }
    return jobs_.front();
  }

  std::vector<int> order;  // written by the worker
 private:
  std::deque<action> jobs_;
};

TEST_F(worker_ready_order, what_is_to_run_next_passes_the_others) {
  run([this](worker& here) {
    here.make_ready(job());
    here.make_ready(job());
    here.make_ready_next(job());
  });
  EXPECT_EQ(order, (std::vector{2, 0, 1}));
}

TEST_F(worker_ready_order, only_one_can_be_next) {
  run([this](worker& here) {
    here.make_ready(job());
    here.make_ready_next(job());
    here.make_ready_next(job());
    here.make_ready(job());
  });
  EXPECT_EQ(order, (std::vector{1, 0, 2, 3}));
}

TEST_F(worker_ready_order, linked_jobs_stay_in_order) {
  run([this](worker& here) {
    for (int i = 0; i < 100; ++i) job();
    here.make_ready_all(linked());
  });
  EXPECT_EQ(order, up_to(100));
}

TEST_F(worker_ready_order, linked_jobs_beyond_the_ring_stay_in_order) {
  run([this](worker& here) {
    for (std::size_t i = 0; i < many; ++i) job();
    here.make_ready_all(linked());
  });
  EXPECT_EQ(order, up_to(many));
}

TEST_F(worker_ready_order, jobs_beyond_the_ring_stay_in_order) {
  run([this](worker& here) {
    for (std::size_t i = 0; i < many; ++i) here.make_ready(job());
  });
  EXPECT_EQ(order, up_to(many));
}

// While the ring empties and the overflow moves into it, new jobs come: they belong behind both.
TEST_F(worker_ready_order, jobs_that_come_while_others_wait_beyond_the_ring_run_after_them) {
  for (const std::size_t at_first : {255U, 256U, 257U, 300U, 319U, 320U, 321U, 1000U}) {
    std::deque<action> jobs(at_first + 2 * many);
    std::size_t made_ready = 0;
    std::size_t in_order = 0;
    const auto add = [&](worker& here, std::size_t count) {
      for (std::size_t i = 0; i < count && made_ready < jobs.size(); ++i) {
        here.make_ready(jobs[made_ready++]);
      }
    };
    std::size_t number = 0;
    for (action& each : jobs) {
      each.body = [&, number](worker& here) {
        if (number == in_order) ++in_order;
        add(here, number % 700 < 350 ? 2 : 0);  // grows for a while, then shrinks
      };
      ++number;
    }
    action owner{[&](worker& here) { add(here, at_first); }};
    {
      scheduler home{{.workers = 1}};
      home.submit(owner);
    }
    EXPECT_EQ(in_order, made_ready) << at_first;
    EXPECT_GT(made_ready, at_first);
  }
}

// Two jobs that wake each other over and over, to run next.
TEST_F(worker_ready_order, jobs_that_wake_each_other_do_not_pass_the_others_for_ever) {
  constexpr std::size_t waiting = 100;
  std::atomic<bool> stopped{false};
  std::size_t passes = 0;
  std::size_t passes_at_the_end = 0;
  action ping;
  action pong;
  const auto wake = [&](action& other) {
    return [&](worker& here) {
      ++passes;
      if (!stopped) here.make_ready_next(other);
    };
  };
  ping.body = wake(pong);
  pong.body = wake(ping);
  std::deque<action> others(waiting);
  for (action& each : others) each.body = [&](worker&) { passes_at_the_end = passes; };
  action owner{[&](worker& here) {
    for (action& each : others) here.make_ready(each);
    here.make_ready_next(ping);
  }};
  {
    scheduler home{{.workers = 1}};
    home.submit(owner);
    EXPECT_TRUE(all_have_run(others));
    stopped = true;
  }
  EXPECT_EQ(not_run_once(others), 0U);
  EXPECT_GT(passes_at_the_end, 0U) << "to run next is to pass some";
  EXPECT_LE(passes_at_the_end, 32U) << "16 times in 61 turns, and 100 waited";
}

// The others wait long, and a job to run next is made ready by each of them: 16 of these pass in 61
// turns, in the first ones and in later ones alike.
TEST_F(worker_ready_order, jobs_to_run_next_pass_again_in_later_turns) {
  std::deque<action> next(610);
  std::deque<action> others(610);
  std::size_t passed = 0;
  std::size_t others_begun = 0;
  for (std::size_t i = 0; i < others.size(); ++i) {
    next[i].body = [&, i](worker&) { passed += others_begun == i + 1 ? 1 : 0; };
    others[i].body = [&, i](worker& here) {
      ++others_begun;
      here.make_ready_next(next[i]);
    };
  }
  action owner{[&](worker& here) {
    for (action& each : others) here.make_ready(each);
  }};
  {
    scheduler home{{.workers = 1}};
    home.submit(owner);
  }
  EXPECT_EQ(not_run_once(next), 0U);
  EXPECT_GE(passed, 10U * 16U);
  EXPECT_LE(passed, 20U * 16U);
}

// Ready jobs of a worker that is held up are taken by others.

class worker_ready : public magpie::test::each_worker_count {
 protected:
  void SetUp() override {
    if (GetParam() == 1) GTEST_SKIP() << "nobody is there to take them";
  }

  /// Runs `publish` on one worker, which then waits until all of `jobs` have run.
  void hold_up(std::deque<action>& jobs, const std::function<void(worker&)>& publish) {
    action owner{[&](worker& here) {
      publish(here);
      EXPECT_TRUE(all_have_run(jobs));
    }};
    scheduler home{{.workers = GetParam()}};
    home.submit(owner);
    EXPECT_TRUE(eventually([&] { return owner.has_run(); }));
    EXPECT_EQ(not_run_once(jobs), 0U);
  }

  /// The same for linked jobs.
  void hold_up_linked(std::size_t count) {
    std::deque<action> jobs(count);
    for (std::size_t i = 0; i < count; ++i) {
      jobs[i].next = i + 1 < count ? &jobs[i + 1] : nullptr;
    }
    hold_up(jobs, [&](worker& here) { here.make_ready_all(jobs.front()); });
  }
};

MAGPIE_FOR_EACH_WORKER_COUNT(worker_ready);

TEST_P(worker_ready, the_job_to_run_next_is_taken) {
  std::deque<action> jobs(1);
  hold_up(jobs, [&](worker& here) { here.make_ready_next(jobs.front()); });
}

TEST_P(worker_ready, a_linked_job_is_taken) { hold_up_linked(1); }
TEST_P(worker_ready, linked_jobs_are_taken) { hold_up_linked(5); }
TEST_P(worker_ready, jobs_beyond_the_ring_are_taken) { hold_up_linked(many); }

// A worker takes the shared jobs by handfuls. The first then holds it up.
TEST_P(worker_ready, the_rest_of_a_handful_is_taken) {
  for (const std::size_t count : {2U, 3U, 63U, 64U, 65U, 200U}) {
    std::deque<action> jobs(count);
    action first{[&](worker&) { EXPECT_TRUE(all_have_run(jobs)); }};
    first.next = &jobs.front();
    for (std::size_t i = 0; i < count; ++i) {
      jobs[i].next = i + 1 < count ? &jobs[i + 1] : nullptr;
    }
    scheduler home{{.workers = GetParam()}};
    home.submit_all(first);
    EXPECT_TRUE(eventually([&] { return first.has_run(); }));
    EXPECT_EQ(not_run_once(jobs), 0U);
  }
}

// As many jobs as workers, each of which waits for all the others to have begun: each worker must
// be woken, and find one.
TEST_P(worker_ready, one_wake_up_leads_to_the_next) {
  const std::size_t count = GetParam();
  std::atomic<std::size_t> begun{0};
  std::deque<action> jobs;
  for (std::size_t i = 0; i < count; ++i) {
    jobs.emplace_back([&](worker&) {
      ++begun;
      EXPECT_TRUE(eventually([&] { return begun.load() == count; }));
    });
  }
  action owner{[&](worker& here) {
    for (std::size_t i = 0; i < count; ++i) {
      jobs[i].next = i + 1 < count ? &jobs[i + 1] : nullptr;
    }
    here.make_ready_all(jobs.front());
  }};
  scheduler home{{.workers = count}};
  home.submit(owner);
  EXPECT_TRUE(all_have_run(jobs));
}

}  // namespace
