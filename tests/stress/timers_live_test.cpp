#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <magpie/checkpoint.hpp>
#include <magpie/clock.hpp>
#include <magpie/runtime.hpp>
#include <magpie/timeout.hpp>
#include <thread>
#include <vector>

#include "support/eventually.hpp"
#include "support/worker_counts.hpp"

// Every worker is in a computation and none comes to its loop: timeouts are raised all the same,
// and in time. The wall clock is the subject. A loaded machine may hold up any thread; so each
// round measures that too, and only a round in which the machine was not late counts as late.

namespace {

using namespace std::chrono_literals;
using magpie::test::eventually;

constexpr auto limit = 50ms;
constexpr auto computation = 200ms;
constexpr auto flag_allowance = 5ms;
constexpr auto stop_allowance = 10ms;
// What is held up for longer says that the machine is busy.
constexpr magpie::duration machine_allowance = 1ms;
constexpr int most_rounds = 20;

/// How late things were, counted from the deadline.
struct lateness {
  magpie::duration latest = magpie::duration::min();
  magpie::duration earliest = magpie::duration::max();
  // The longest time between two looks at the clock, around the moment that is measured.
  magpie::duration longest_gap{0};

  void note(magpie::duration late, magpie::duration gap) noexcept {
    latest = std::max(latest, late);
    earliest = std::min(earliest, late);
    longest_gap = std::max(longest_gap, gap);
  }
};

/// One computation on each worker, all at once, each in a timeout of its own.
class timers_live : public magpie::test::each_worker_count {
 protected:
  /// `compute(scope, late)` is what each does, `allowance` how late it may end.
  template <class Compute>
  void expect_in_time(Compute compute, magpie::duration allowance) {
    for (int round = 0; round < most_rounds; ++round) {
      std::vector<lateness> all(GetParam());
      const magpie::duration control = run_round(compute, all);
      lateness worst;
      for (const lateness& each : all) {
        worst.note(each.latest, each.longest_gap);
        EXPECT_GE(each.earliest, magpie::duration::zero()) << "never early";
      }
      if (HasFailure() || worst.latest <= allowance) return;
      if (control < machine_allowance && worst.longest_gap < machine_allowance) {
        // Again: that the machine was quiet at two places does not say that it was everywhere.
        ++late_rounds_;
      }
    }
    EXPECT_LE(late_rounds_, most_rounds / 2) << "late though the machine was not";
    if (!HasFailure()) std::cout << "the machine was too busy to tell" << std::endl;
  }

 private:
  template <class Compute>
  magpie::duration run_round(Compute& compute, std::vector<lateness>& all) {
    std::atomic<std::size_t> begun{0};
    const auto run = [&](lateness& late) -> magpie::task<> {
      ++begun;
      EXPECT_TRUE(eventually([&] { return begun >= GetParam(); })) << "one on each worker";
      const auto body = [&](magpie::timeout_scope& scope) -> magpie::task<> {
        co_await compute(scope, late);
      };
      try {
        co_await magpie::with_timeout(limit, body);
      } catch (const magpie::timeout_error&) {
      }
    };
    magpie::duration control{0};
    std::thread plain([&] {
      EXPECT_TRUE(eventually([&] { return begun >= GetParam(); }));
      const auto deadline = magpie::clock::now() + limit;
      std::this_thread::sleep_until(deadline);
      control = magpie::clock::now() - deadline;
    });
    std::vector<magpie::task_handle<>> handles;
    for (lateness& each : all) handles.push_back(runtime_.spawn(run(each)));
    plain.join();
    for (const auto& each : handles) {
      while (!each.done()) std::this_thread::sleep_for(1ms);
      each.result();
    }
    return control;
  }

  int late_rounds_ = 0;
  magpie::runtime runtime_{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(timers_live);

TEST_P(timers_live, raise_the_flag_of_a_computation_that_does_not_suspend) {
  const auto compute = [](magpie::timeout_scope& scope, lateness& late) -> magpie::task<> {
    const auto deadline = *scope.deadline();
    const auto end = deadline - limit + computation;
    auto before = magpie::clock::now();
    for (bool is_seen = false;;) {
      const bool expired = scope.expired();
      const auto now = magpie::clock::now();
      if (expired && !is_seen) {
        late.note(now - deadline, now - before);
        is_seen = true;
      }
      if (now >= end) {
        if (!is_seen) late.note(now - deadline, now - before);
        co_return;
      }
      before = now;
    }
  };
  expect_in_time(compute, flag_allowance);
}

TEST_P(timers_live, end_a_computation_at_its_next_checkpoint) {
  const auto compute = [](magpie::timeout_scope& scope, lateness& late) -> magpie::task<> {
    const auto deadline = *scope.deadline();
    const auto end = deadline - limit + computation;
    auto before = magpie::clock::now();
    try {
      while (before < end) {
        const auto next = before + 100us;
        while (magpie::clock::now() < next) {
        }
        before = next;
        co_await magpie::checkpoint();
      }
    } catch (const magpie::cancelled&) {
      const auto now = magpie::clock::now();
      late.note(now - deadline, now - before);
      throw;
    }
    late.note(magpie::clock::now() - deadline, magpie::duration::zero());
  };
  expect_in_time(compute, stop_allowance);
}

}  // namespace
