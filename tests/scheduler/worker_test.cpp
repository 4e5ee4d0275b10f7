#include <magpie/detail/worker.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <magpie/detail/job.hpp>
#include <magpie/detail/scheduler.hpp>

#include "support/action.hpp"
#include "support/eventually.hpp"
#include "support/forks.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

namespace {

using magpie::detail::job;
using magpie::detail::scheduler;
using magpie::detail::worker;
using magpie::test::action;
using magpie::test::all_have_run;
using magpie::test::eventually;
using magpie::test::fork;
using magpie::test::not_run_once;
using magpie::test::scaled;
using magpie::test::unfork;

class worker_test : public magpie::test::each_worker_count {
 protected:
  [[nodiscard]] scheduler::options settings() const { return {.workers = GetParam()}; }
};

MAGPIE_FOR_EACH_WORKER_COUNT(worker_test);

TEST_P(worker_test, a_job_runs_on_a_worker_of_its_scheduler) {
  EXPECT_EQ(worker::current(), nullptr);
  int word = 0;
  worker* seen = nullptr;
  worker* given = nullptr;
  action one{[&](worker& here) {
    given = &here;
    seen = worker::current();
  }};
  scheduler home{{.workers = GetParam(), .owner = &word}};
  home.submit(one);
  ASSERT_TRUE(eventually([&] { return one.has_run(); }));
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen, given);
  EXPECT_EQ(&seen->home(), &home);
  EXPECT_LT(seen->index(), GetParam());
  EXPECT_EQ(seen->home().owner(), &word);
  EXPECT_EQ(worker::current(), nullptr);
}

TEST_P(worker_test, forks_come_back_or_are_run_by_thieves) {
  constexpr std::size_t forks = 8;
  for (std::size_t round = 0; round < scaled(5e4); ++round) {
    std::deque<action> items(forks);
    std::atomic<std::size_t> taken_back{0};
    action owner{[&](worker& here) {
      for (action& each : items) EXPECT_TRUE(fork(here, each));
      for (std::size_t i = forks; i-- > 0;) {
        if (!unfork(here, items[i])) break;  // a thief has it, and so all that are older
        taken_back.fetch_add(1);  // first: the test looks as soon as the last item has run
        items[i].runs.fetch_add(1);
      }
    }};
    scheduler home{settings()};
    home.submit(owner);
    ASSERT_TRUE(all_have_run(items));
    ASSERT_EQ(not_run_once(items), 0U);
    if (GetParam() == 1) {
      ASSERT_EQ(taken_back.load(), forks);
    }
  }
}

TEST_P(worker_test, a_fork_that_is_left_runs_later) {
  std::deque<action> items(1000);
  action owner{[&](worker& here) {
    for (action& each : items) EXPECT_TRUE(fork(here, each));
  }};
  scheduler home{settings()};
  home.submit(owner);
  EXPECT_TRUE(all_have_run(items));
  EXPECT_EQ(not_run_once(items), 0U);
}

TEST_P(worker_test, a_sleeping_worker_is_woken_for_a_ready_job) {
  if (GetParam() == 1) GTEST_SKIP() << "nobody is there to take it";
  const std::size_t rounds = scaled(5e4);
  std::deque<action> jobs(rounds);
  std::deque<action> owners;
  for (std::size_t i = 0; i < rounds; ++i) {
    owners.emplace_back([&one = jobs[i]](worker& here) {
      here.make_ready(one);
      EXPECT_TRUE(eventually([&] { return one.has_run(); }));  // while this worker is held up
    });
  }
  scheduler home{settings()};
  for (action& each : owners) {
    home.submit(each);
    ASSERT_TRUE(eventually([&] { return each.has_run(); }));
    if (HasFailure()) return;
  }
}

TEST_P(worker_test, a_sleeping_worker_is_woken_for_a_fork) {
  if (GetParam() == 1) GTEST_SKIP() << "nobody is there to take it";
  action left;
  action glance;
  action owner{[&](worker& here) {
    EXPECT_TRUE(fork(here, left));
    EXPECT_TRUE(eventually([&] {
      // Where fences are symmetric, one fork may miss a worker that falls asleep at that moment.
      if (fork(here, glance) && unfork(here, glance)) return left.has_run();
      EXPECT_TRUE(eventually([&] { return glance.has_run(); }));
      return true;
    }));
    // Whoever took it may have been overtaken by another thief, who took the glance.
    EXPECT_TRUE(eventually([&] { return left.has_run(); }));
  }};
  scheduler home{settings()};
  home.submit(owner);
  EXPECT_TRUE(eventually([&] { return owner.has_run(); }));
}

// A job that comes back again and again through `again`, until told to stop.
class perpetual : public action {
 public:
  explicit perpetual(void (*again)(worker&, job&))
      : action([this, again](worker& here) {
          if (!stopped_.load(std::memory_order_relaxed)) again(here, *this);
        }) {}
  void stop() { stopped_.store(true, std::memory_order_relaxed); }

 private:
  std::atomic<bool> stopped_{false};
};

void back_to_the_ready_lane(worker& here, job& self) { here.make_ready(self); }
void back_to_the_fork_lane(worker& here, job& self) { EXPECT_TRUE(fork(here, self)); }

TEST_P(worker_test, busy_ready_lanes_do_not_starve_foreign_threads) {
  std::deque<perpetual> busy;
  for (std::size_t i = 0; i < 2 * GetParam(); ++i) busy.emplace_back(&back_to_the_ready_lane);
  action foreign;
  scheduler home{settings()};
  for (perpetual& each : busy) home.submit(each);
  home.submit(foreign);
  EXPECT_TRUE(eventually([&] { return foreign.has_run(); }));
  for (perpetual& each : busy) each.stop();
}

TEST_P(worker_test, busy_fork_lanes_starve_nobody) {
  std::deque<perpetual> busy;
  for (std::size_t i = 0; i < 2 * GetParam(); ++i) busy.emplace_back(&back_to_the_fork_lane);
  action foreign;
  action ready;
  action submits{[&](worker& here) { here.make_ready(ready); }};
  scheduler home{settings()};
  for (perpetual& each : busy) home.submit(each);
  home.submit(submits);
  home.submit(foreign);
  EXPECT_TRUE(eventually([&] { return foreign.has_run() && ready.has_run(); }));
  for (perpetual& each : busy) each.stop();
}

// While forks never run dry, the ready lane and the shared ones have only the turns of fairness,
// and must divide them.
TEST(worker, a_full_shared_lane_does_not_starve_a_ready_job) {
  std::atomic<bool> all_are_there{false};
  action gate{[&](worker&) { EXPECT_TRUE(eventually([&] { return all_are_there.load(); })); }};
  perpetual busy{&back_to_the_fork_lane};
  action ready;
  action submits{[&](worker& here) { here.make_ready(ready); }};
  std::deque<action> foreign(1000);
  unsigned went_before = 0;  // only the one worker writes it
  for (action& each : foreign) {
    each.body = [&](worker&) { went_before += ready.has_run() ? 0 : 1; };
  }
  scheduler home{{.workers = 1}};
  home.submit(gate);
  home.submit(busy);
  home.submit(submits);
  for (action& each : foreign) home.submit(each);
  all_are_there.store(true);
  EXPECT_TRUE(all_have_run(foreign));
  EXPECT_TRUE(eventually([&] { return ready.has_run(); }));
  // A worker in need takes up to 64 shared jobs at once; then the two lanes take turns.
  EXPECT_LE(went_before, 2U * 64U + 3U);
  busy.stop();
}

}  // namespace
