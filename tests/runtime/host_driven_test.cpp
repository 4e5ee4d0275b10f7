#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/checkpoint.hpp>
#include <magpie/errors.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <optional>
#include <thread>

#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"
#include "support/threads.hpp"

// Runtimes without workers that live by the clock. The wall clock is a part of the subject, so
// these tests do sleep, but for milliseconds.

namespace {

using namespace std::chrono_literals;
using magpie::test::comes_to_sleep;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::nap;
using magpie::test::scaled;
using magpie::test::sleep_long;

/// With the seed as parameter.
class host_driven : public testing::TestWithParam<std::uint64_t> {
 protected:
  magpie::runtime runtime{{.workers = 0, .seed = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(seed, host_driven, testing::Values(0, 7));

TEST_P(host_driven, has_no_workers) {
  EXPECT_EQ(runtime.worker_count(), 0U);
  EXPECT_FALSE(runtime.poll_one());
  EXPECT_EQ(runtime.next_deadline(), std::nullopt);
}

TEST_P(host_driven, runs_a_task_from_suspension_to_suspension) {
  int steps = 0;
  const auto body = [&]() -> magpie::task<> {
    for (steps = 1; steps < 4; ++steps) co_await magpie::yield();
  };
  const auto handle = runtime.spawn(body());
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(steps, i);
    EXPECT_FALSE(handle.done());
    EXPECT_TRUE(runtime.poll_one());
  }
  EXPECT_TRUE(handle.done());
  EXPECT_FALSE(runtime.poll_one());
}

TEST_P(host_driven, runs_the_others_too_while_it_is_blocked_on) {
  const auto other = runtime.spawn(give_after_yields(3, 5));
  EXPECT_EQ(runtime.block_on(give_after_yields(4, 100)), 4);
  EXPECT_TRUE(eventually([&] {
    runtime.poll_one();
    return other.done();
  }));
  EXPECT_GE(runtime.block_on(nap(2ms)), 2ms);
}

TEST_P(host_driven, takes_the_time_of_the_clock) {
  const auto before = magpie::clock::now();
  const auto now = runtime.now();  // first: an expectation reads its sides in any order
  EXPECT_GE(now, before);
  EXPECT_LE(now, magpie::clock::now());
  runtime.run_for(2ms);
  EXPECT_GE(magpie::clock::now() - before, 2ms);
  runtime.run_until(before);
  runtime.run_for(-1h);
}

TEST_P(host_driven, says_until_when_it_has_nothing_to_do) {
  // Nobody waits for the hours.
  const auto before = magpie::clock::now();
  const auto sleeping_less = runtime.spawn(nap(1h));
  const auto sleeping = runtime.spawn(sleep_long());
  runtime.run_until_idle();
  ASSERT_TRUE(runtime.next_deadline().has_value());
  EXPECT_LE(*runtime.next_deadline() - before, 2h);
  sleeping_less.cancel();
  const auto napping = runtime.spawn(nap(3ms));
  EXPECT_TRUE(eventually([&] {
    runtime.poll_one();
    return napping.done();
  }));
  EXPECT_GE(napping.result(), 3ms);
  sleeping.cancel();
  runtime.run_until_idle();
  EXPECT_EQ(runtime.next_deadline(), std::nullopt);
}

// Timers that are due get in between tasks that are always ready, however it is driven.
TEST_P(host_driven, wakes_sleepers_while_others_never_rest) {
  for (const bool polls : {true, false}) {
    std::atomic<bool> stop{false};
    const auto spin = [&]() -> magpie::task<> {
      while (!stop) co_await magpie::yield();
    };
    const auto end = [&]() -> magpie::task<> {
      co_await magpie::sleep_for(1ms);
      stop = true;
    };
    const auto first = runtime.spawn(spin());
    const auto second = runtime.spawn(spin());
    const auto third = runtime.spawn(end());
    if (polls) {
      EXPECT_TRUE(eventually([&] {
        runtime.poll_one();
        return stop.load();
      }));
      stop = true;
    } else {
      runtime.block_on(end());
    }
    EXPECT_TRUE(eventually([&] {
      runtime.poll_one();
      return first.done() && second.done() && third.done();
    }));
  }
}

TEST_P(host_driven, lets_computations_see_that_others_wait) {
  bool has_run = false;
  const auto other = [&]() -> magpie::task<> {
    has_run = true;
    co_return;
  };
  const auto compute = [&]() -> magpie::task<bool> {
    const auto spawned = magpie::spawn(other());
    const auto begin = magpie::clock::now();
    while (!has_run && magpie::clock::now() - begin < 60s) co_await magpie::checkpoint();
    co_return has_run;
  };
  EXPECT_TRUE(runtime.block_on(compute()));
}

// Other threads.

TEST_P(host_driven, wakes_in_a_run_for_what_others_spawn_and_cancel) {
  for (std::size_t i = 0; i < scaled(1e4); ++i) {
    const auto sleeping = runtime.spawn(sleep_long());
    std::thread other([&] {
      EXPECT_EQ(runtime.spawn(give_after_yields(6, 2)).get(), 6);
      EXPECT_TRUE(sleeping.cancel("enough"));
    });
    const auto await = [&]() -> magpie::task<bool> {
      try {
        co_await sleeping;
      } catch (const magpie::cancelled&) {
        co_return true;
      }
      co_return false;
    };
    EXPECT_TRUE(runtime.block_on(await()));
    other.join();
  }
}

TEST_P(host_driven, runs_for_others_until_its_time_is_over) {
  std::atomic<bool> begun{false};
  std::atomic<int> given{0};
  std::thread other([&] {
    EXPECT_TRUE(eventually([&] { return begun.load(); }));
    for (int i = 0; i < 20; ++i) given += runtime.spawn(give(1)).get();
  });
  begun = true;
  EXPECT_TRUE(eventually([&] {
    runtime.run_for(1ms);
    return given == 20;
  }));
  other.join();
}

TEST_P(host_driven, hears_of_a_timeout_that_another_thread_reschedules) {
  std::atomic<magpie::timeout_scope*> published{nullptr};
  const auto body = [&](magpie::timeout_scope& scope) -> magpie::task<> {
    published = &scope;
    co_await sleep_long();
  };
  const auto limited = [&]() -> magpie::task<bool> {
    try {
      co_await magpie::with_timeout(1000h, body);
    } catch (const magpie::timeout_error&) {
      co_return true;
    }
    co_return false;
  };
  std::thread other([&, driver = ::gettid()] {
    EXPECT_TRUE(eventually([&] { return published.load() != nullptr; }));
    EXPECT_TRUE(comes_to_sleep(driver)) << "in block_on()";
    EXPECT_TRUE(published.load()->reschedule(1ms));
  });
  EXPECT_TRUE(runtime.block_on(limited()));
  other.join();
}

TEST_P(host_driven, awaits_blocking_calls) {
  const auto call = [driver = ::gettid()]() -> magpie::task<int> {
    int sum = 0;
    for (int i = 0; i < 20; ++i) {
      const int one = co_await magpie::run_blocking([driver] {
        EXPECT_TRUE(comes_to_sleep(driver));
        return 1;
      });
      sum += one;
    }
    co_return sum;
  };
  EXPECT_EQ(runtime.block_on(call()), 20);
}

TEST_P(host_driven, lets_two_threads_take_turns) {
  std::atomic<int> turn{0};
  constexpr int turns = 200;
  const auto take_turns = [&](int mine) {
    while (turn < turns) {
      if (turn % 2 != mine) {
        std::this_thread::yield();
        continue;
      }
      EXPECT_EQ(runtime.block_on(give_after_yields(mine, 3)), mine);
      runtime.poll_one();  // nothing, or the end of the nap
      ++turn;
    }
  };
  const auto napping = runtime.spawn(nap(1ms));
  std::thread other(take_turns, 1);
  take_turns(0);
  other.join();
  EXPECT_TRUE(eventually([&] {
    runtime.poll_one();
    return napping.done();
  }));
}

// Misuse.

TEST(host_driven_misuse, of_a_runtime_with_workers_is_an_error) {
  magpie::runtime runtime{{.workers = 1}};
  EXPECT_THROW(runtime.poll_one(), magpie::invalid_state);
  EXPECT_THROW(runtime.run_for(1ms), magpie::invalid_state);
  EXPECT_THROW(runtime.run_until(magpie::clock::now()), magpie::invalid_state);
  EXPECT_THROW(static_cast<void>(runtime.next_deadline()), magpie::invalid_state);
}

TEST(host_driven_misuse, by_a_worker_of_another_runtime_is_an_error) {
  magpie::runtime runtime{{.workers = 0}};
  magpie::runtime other{{.workers = 1}};
  const auto body = [&]() -> magpie::task<> {
    EXPECT_THROW(runtime.poll_one(), magpie::invalid_state);
    EXPECT_THROW(runtime.block_on(give(1)), magpie::invalid_state);
    co_return;
  };
  other.block_on(body());
}

TEST(host_driven_misuse, by_two_threads_at_a_time_aborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto drive_twice = [] {
    magpie::runtime runtime{{.workers = 0}};
    const auto body = [&]() -> magpie::task<> {
      std::thread([&] { runtime.poll_one(); }).join();
      co_return;
    };
    runtime.block_on(body());
  };
  EXPECT_DEATH(drive_twice(),
               "expected a runtime without workers to be driven by one thread at a time");
}

}  // namespace
