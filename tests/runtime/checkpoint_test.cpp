#include <magpie/checkpoint.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::eventually;

/// Computes, with a checkpoint now and then, until it is told to end: gives the reason.
magpie::task<std::string> compute(std::atomic<std::size_t>& begun) {
  ++begun;
  try {
    for (;;) {
      for (int i = 0; i < 100; ++i) static_cast<void>(magpie::clock::now());
      co_await magpie::checkpoint();
    }
  } catch (const magpie::cancelled& stopped) {
    co_return stopped.reason();
  }
}

class checkpoint : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_RUNTIME(checkpoint);

class checkpoint_by_the_clock : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_WORKER_COUNT(checkpoint_by_the_clock);

class checkpoint_on_one_worker : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

TEST_P(checkpoint, ends_a_computation_that_is_cancelled) {
  std::atomic<std::size_t> begun{0};
  std::vector<magpie::task_handle<std::string>> computations;
  for (std::size_t i = 0; i < 2 * GetParam() + 2; ++i) {
    computations.push_back(runtime.spawn(compute(begun)));
  }
  EXPECT_TRUE(eventually([&] { return begun == computations.size(); })) << "all get their turn";
  for (const auto& each : computations) {
    EXPECT_TRUE(each.cancel("enough"));
    ASSERT_TRUE(eventually([&] { return each.done(); }));
    EXPECT_EQ(each.result(), "enough");
  }
}

// Rule 19: cancelling oneself acts at the next await.
TEST_P(checkpoint, throws_what_the_task_asks_of_itself) {
  const auto body = []() -> magpie::task<std::string> {
    co_await magpie::checkpoint();
    magpie::current_task().cancel("myself");
    try {
      co_await magpie::checkpoint();
    } catch (const magpie::cancelled& stopped) {
      co_return stopped.reason();
    }
    co_return "";
  };
  EXPECT_EQ(runtime.block_on(body()), "myself");
}

// Rule 21: of one request it tells once.
TEST_P(checkpoint, throws_once_for_a_request) {
  const auto body = []() -> magpie::task<int> {
    int thrown = 0;
    magpie::current_task().cancel();
    for (int i = 0; i < 10; ++i) {
      try {
        co_await magpie::checkpoint();
      } catch (const magpie::cancelled&) {
        ++thrown;
      }
    }
    co_return thrown;
  };
  EXPECT_EQ(runtime.block_on(body()), 1);
}

// Rule 25: a request that was taken back is none.
TEST_P(checkpoint, does_not_throw_what_was_taken_back) {
  const auto body = []() -> magpie::task<> {
    magpie::current_task().cancel();
    magpie::current_task().uncancel();
    co_await magpie::checkpoint();
  };
  runtime.block_on(body());
}

// Rule 53: a deadline that has passed is told at the first checkpoint.

TEST_P(checkpoint, ends_a_computation_whose_time_is_found_to_be_over) {
  int steps = 0;
  const auto loop = [&steps](magpie::timeout_scope& scope) -> magpie::task<> {
    for (;; ++steps) {
      if (steps == 5) scope.reschedule(magpie::now() - 1s);
      EXPECT_FALSE(scope.expired());
      co_await magpie::checkpoint();
    }
  };
  const auto limited = [&loop]() -> magpie::task<bool> {
    try {
      co_await magpie::with_timeout(1000h, loop);
    } catch (const magpie::timeout_error&) {
      co_return true;
    }
    co_return false;
  };
  EXPECT_TRUE(runtime.block_on(limited()));
  EXPECT_EQ(steps, 5);
}

TEST_P(checkpoint_by_the_clock, ends_a_computation_whose_time_is_over) {
  std::atomic<int> steps{0};
  const auto loop = [&steps](magpie::timeout_scope&) -> magpie::task<> {
    for (;; ++steps) co_await magpie::checkpoint();
  };
  const auto limited = [&loop](magpie::duration limit) -> magpie::task<bool> {
    try {
      co_await magpie::with_timeout(limit, loop);
    } catch (const magpie::timeout_error&) {
      co_return true;
    }
    co_return false;
  };
  EXPECT_TRUE(runtime.block_on(limited(0s)));
  EXPECT_EQ(steps, 0);
  const auto begin = magpie::clock::now();
  EXPECT_TRUE(runtime.block_on(limited(1ms)));
  EXPECT_GE(magpie::clock::now() - begin, 1ms);
}

TEST_P(checkpoint, tells_only_what_runs_in_the_timeout) {
  const auto compute = [](magpie::timeout_scope& scope) -> magpie::task<> {
    scope.reschedule(0s);
    co_await magpie::checkpoint();
  };
  const auto body = [&]() -> magpie::task<int> {
    int timeouts = 0;
    for (int i = 0; i < 10; ++i) {
      try {
        co_await magpie::with_timeout(1000h, compute);
      } catch (const magpie::timeout_error&) {
        ++timeouts;
      }
      co_await magpie::checkpoint();
    }
    co_return timeouts;
  };
  EXPECT_EQ(runtime.block_on(body()), 10);
}

// The only worker is in a computation; what it has spawned, and what another thread submits, can
// only run when that lets it.

TEST_F(checkpoint_on_one_worker, lets_those_go_first_that_have_waited) {
  std::atomic<int> others{0};
  const auto other = [&others]() -> magpie::task<> {
    ++others;
    co_return;
  };
  const auto compute_until = [&others](int target) -> magpie::task<bool> {
    const auto begin = magpie::clock::now();
    while (others < target) {
      co_await magpie::checkpoint();
      if (magpie::clock::now() - begin > 60s) co_return false;
    }
    co_return true;
  };
  const auto spawn_and_compute = [&]() -> magpie::task<bool> {
    const auto spawned = magpie::spawn(other());
    const bool has_run = co_await compute_until(1);
    co_await spawned;
    co_return has_run;
  };
  EXPECT_TRUE(runtime.block_on(spawn_and_compute()));

  const auto computation = runtime.spawn(compute_until(2));
  runtime.block_on(other());
  ASSERT_TRUE(eventually([&] { return computation.done(); }));
  EXPECT_TRUE(computation.result());
}

// Rule 98: a suspension would cost as much as a hundred looks.
TEST_F(checkpoint_on_one_worker, keeps_the_worker_while_nobody_has_waited_for_long) {
  std::atomic<bool> other_ran{false};
  const auto other = [&other_ran]() -> magpie::task<> {
    other_ran = true;
    co_return;
  };
  const auto is_kept = [&]() -> magpie::task<bool> {
    co_await magpie::checkpoint();  // takes what was noticed before
    other_ran = false;
    const auto spawned = magpie::spawn(other());
    for (int i = 0; i < 20; ++i) co_await magpie::checkpoint();
    const bool kept = !other_ran;
    co_await spawned;
    co_return kept;
  };
  const auto is_kept_though_cancelled = [&]() -> magpie::task<bool> {
    EXPECT_TRUE(magpie::current_task().cancel());
    try {
      co_await magpie::checkpoint();
      ADD_FAILURE() << "no request";
    } catch (const magpie::cancelled&) {
    }
    co_return co_await is_kept();
  };
  // The thread may be held up in between, for a millisecond or more.
  EXPECT_TRUE(eventually([&] { return runtime.block_on(is_kept()); }));
  EXPECT_TRUE(eventually([&] { return runtime.block_on(is_kept_though_cancelled()); }));
}

TEST_P(checkpoint_by_the_clock, does_not_suspend_while_nobody_waits) {
  const auto count_suspensions = []() -> magpie::task<int> {
    int suspensions = 0;
    for (int i = 0; i < 100'000; ++i) {
      auto look = magpie::checkpoint();
      if (!look.await_ready()) ++suspensions;
    }
    co_return suspensions;
  };
  EXPECT_LT(runtime.block_on(count_suspensions()), 1'000);
}

// A task that lets others go first may go on, and end, on another worker before its worker returns
// from the suspension.
TEST_P(checkpoint_by_the_clock, another_worker_may_take_the_task_over) {
  const auto compute_and_rest = []() -> magpie::task<int> {
    int checkpoints = 0;
    for (int i = 0; i < 40; ++i) {
      const auto end = magpie::clock::now() + 2ms;
      for (; magpie::clock::now() < end; ++checkpoints) co_await magpie::checkpoint();
      co_await magpie::sleep_for(1ms);
    }
    co_return checkpoints;
  };
  std::vector<magpie::task_handle<int>> computations;
  for (std::size_t i = 0; i < 2 * GetParam(); ++i) {
    computations.push_back(runtime.spawn(compute_and_rest()));
  }
  for (const auto& each : computations) EXPECT_GT(each.get(), 0);
}

TEST(checkpoint_misuse, outside_of_a_task_is_an_error) {
  auto look = magpie::checkpoint();
  EXPECT_THROW(static_cast<void>(look.await_ready()), magpie::invalid_state);
}

}  // namespace
