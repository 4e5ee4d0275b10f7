#include <magpie/runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <magpie/checkpoint.hpp>
#include <magpie/errors.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/worker_counts.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::eventually;

class runtime : public magpie::test::each_worker_count {};
MAGPIE_FOR_EACH_WORKER_COUNT(runtime);

magpie::task<int> give(int value) { co_return value; }

// Rule 83: block_on.

TEST_P(runtime, block_on_returns_the_result_or_rethrows) {
  magpie::runtime tested{{.workers = GetParam()}};
  const auto fail = []() -> magpie::task<int> {
    co_await magpie::yield();
    throw std::out_of_range("far");
  };
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(tested.block_on(give(i)), i);
    EXPECT_THROW(tested.block_on(fail()), std::out_of_range);
  }
}

TEST_P(runtime, block_on_is_refused_on_a_worker_and_destroys_the_task) {
  magpie::runtime tested{{.workers = GetParam()}};
  magpie::runtime other{{.workers = 1}};
  const auto hold = [](counted parameter) -> magpie::task<int> { co_return parameter.value; };
  const auto misuse = [&hold](magpie::runtime& target) -> magpie::task<bool> {
    try {
      target.block_on(hold(counted(1)));
    } catch (const magpie::invalid_state&) {
      co_return true;
    }
    co_return false;
  };
  EXPECT_TRUE(tested.block_on(misuse(tested)));
  EXPECT_TRUE(tested.block_on(misuse(other)));
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(runtime, block_on_serves_many_threads_at_once) {
  magpie::runtime tested{{.workers = GetParam()}};
  std::vector<std::thread> threads;
  std::atomic<int> sum{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) sum += tested.block_on(give(1));
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(sum, 800);
}

// Rule 88: one task never runs on two workers at once, and what happened before a suspension is
// visible after it.

TEST_P(runtime, runs_a_task_on_one_worker_at_a_time_with_its_past_visible) {
  magpie::runtime tested{{.workers = GetParam()}};
  const auto work = [](int rounds) -> magpie::task<int> {
    int plain = 0;  // torn or stale, or a report of ThreadSanitizer, if the promise were broken
    for (int i = 0; i < rounds; ++i) {
      ++plain;
      co_await magpie::yield();
      if (i % 16 == 0) co_await magpie::sleep_for(1us);
    }
    co_return plain;
  };
  std::vector<magpie::task_handle<int>> handles;
  for (int i = 0; i < 16; ++i) handles.push_back(tested.spawn(work(500)));
  for (const auto& handle : handles) {
    while (!handle.done()) std::this_thread::yield();
    EXPECT_EQ(handle.result(), 500);
  }
}

TEST_P(runtime, makes_what_the_spawner_did_visible_to_the_task) {
  magpie::runtime tested{{.workers = GetParam()}};
  const auto read = [](const int* plain) -> magpie::task<int> { co_return *plain; };
  for (int i = 0; i < 500; ++i) {
    auto plain = std::make_unique<int>(i);
    EXPECT_EQ(tested.block_on(read(plain.get())), i);
  }
}

// The end of a runtime.

// Rules 84 and 97, without a deadline.
class end_of_a_runtime : public magpie::test::each_runtime {};
MAGPIE_FOR_EACH_RUNTIME(end_of_a_runtime);

TEST_P(end_of_a_runtime, cancels_what_is_left_and_waits_for_it_before_it_is_gone) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  const auto last_words = [&]() -> magpie::task<> {
    ++begun;
    co_await magpie::yield();
    ++ended;
  };
  const auto leftover = [&]() -> magpie::task<> {
    ++begun;
    bool was_cancelled = false;
    try {
      for (;;) co_await magpie::yield();
    } catch (const magpie::cancelled&) {
      was_cancelled = true;
    }
    // It cleans up. A task that it spawns now is cancelled before its first step.
    EXPECT_TRUE(was_cancelled);
    magpie::spawn(last_words());
    co_await last_words();
    ++ended;
  };
  {
    magpie::runtime tested{settings()};
    const magpie::test::driving_meanwhile drives(tested);
    for (int i = 0; i < 50; ++i) tested.spawn(leftover());
    ASSERT_TRUE(eventually([&] { return begun.load() == 50; }));
  }
  EXPECT_EQ(begun, 100);
  EXPECT_EQ(ended, 100);
}

// Rule 100.
TEST_P(end_of_a_runtime, ends_newcomers_and_lets_timeouts_expire_while_it_is_destroyed) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  const auto compute = [&]() -> magpie::task<> {
    const counted here;
    ++begun;
    for (;;) co_await magpie::checkpoint();
  };
  const auto wait_for_nothing = []() -> magpie::task<> {
    magpie::semaphore none(0);
    static_cast<void>(co_await none.acquire());
  };
  const auto clean_up = [&]() -> magpie::task<> {
    const counted here;
    ++begun;
    try {
      for (;;) co_await magpie::yield();
    } catch (const magpie::cancelled&) {
    }
    magpie::spawn(compute());
    EXPECT_THROW(co_await magpie::wait_for(wait_for_nothing(), 1ms), magpie::timeout_error);
    magpie::spawn(compute());
    ++ended;
  };
  {
    magpie::runtime tested{settings()};
    const magpie::test::driving_meanwhile drives(tested);
    for (int i = 0; i < 10; ++i) {
      tested.spawn(clean_up());
      tested.spawn(compute());
    }
    ASSERT_TRUE(eventually([&] { return begun == 20; }));
  }
  EXPECT_EQ(ended, 10);
  EXPECT_EQ(begun, 20) << "no newcomer takes a step";
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(end_of_a_runtime, cancels_its_sleepers_once_when_it_is_destroyed) {
  magpie::task_handle<> sleeper;
  magpie::task_handle<std::string> stubborn;
  {
    magpie::runtime tested{settings()};
    const magpie::test::driving_meanwhile drives(tested);
    const auto sleep = []() -> magpie::task<> { co_await magpie::sleep_for(1h); };
    const auto swallow = []() -> magpie::task<std::string> {
      try {
        co_await magpie::sleep_for(1h);
        co_return "(slept)";
      } catch (const magpie::cancelled&) {
      }
      co_await magpie::sleep_for(1ms);
      co_return "slept on";
    };
    sleeper = tested.spawn(sleep());
    stubborn = tested.spawn(swallow());
    const auto is_asleep = [](const magpie::any_task_handle& task) {
      return eventually([&] { return task.waiting_for().rfind("sleep", 0) == 0; });
    };
    ASSERT_TRUE(is_asleep(sleeper));
    ASSERT_TRUE(is_asleep(stubborn));
  }
  EXPECT_TRUE(sleeper.cancelled());
  EXPECT_EQ(stubborn.result(), "slept on");
}

TEST_P(runtime, starts_and_stops_over_and_over) {
  for (int i = 0; i < 100; ++i) {
    magpie::runtime tested{{.workers = GetParam()}};
    auto handle = tested.spawn(give(i));
    if (i % 2 == 0) {
      EXPECT_EQ(tested.block_on(give(i)), i);
    }
  }
}

TEST(runtime_alone, may_live_beside_others) {
  magpie::runtime first{{.workers = 1}};
  magpie::runtime second{{.workers = 2}};
  std::optional<magpie::runtime> third(std::in_place, magpie::runtime_options{.workers = 3});
  const auto count = [](magpie::runtime& other) -> magpie::task<std::size_t> {
    const auto here = magpie::spawn(give(1));
    const auto there = other.spawn(give(2));
    const int& own = co_await here;
    const int& foreign = co_await there;
    co_return static_cast<std::size_t>(own + foreign);
  };
  EXPECT_EQ(first.block_on(count(second)), 3U);
  EXPECT_EQ(second.block_on(count(*third)), 3U);
  third.reset();
  EXPECT_EQ(second.block_on(count(first)), 3U);
}

TEST(runtime_alone, has_as_many_workers_as_were_asked_for) {
  EXPECT_EQ(magpie::runtime({.workers = 3}).worker_count(), 3U);
  const magpie::runtime tested;
  EXPECT_GE(tested.worker_count(), 1U);
  EXPECT_LE(tested.worker_count(), std::thread::hardware_concurrency());
  EXPECT_EQ(tested.statistics().workers.size(), tested.worker_count());
}

TEST(runtime_alone, says_what_was_expected_of_options) {
  const auto message_of = [](const magpie::runtime_options& options) -> std::string {
    try {
      const magpie::runtime tested(options);
    } catch (const magpie::invalid_state& error) {
      return error.what();
    }
    return "nothing thrown";
  };
  EXPECT_EQ(message_of({.workers = 4097}),
            "magpie: expected runtime_options::workers to be automatic or at most 4096");
  const std::string only_without_workers =
      "magpie: expected runtime_options::workers to be 0 where virtual time, a seed or on_wake is "
      "asked for";
  EXPECT_EQ(message_of({.workers = 1, .time = magpie::virtual_time}), only_without_workers);
  EXPECT_EQ(message_of({.workers = 1, .seed = 1}), only_without_workers);
  EXPECT_EQ(message_of({.workers = 1, .on_wake = [] {}}), only_without_workers);
  EXPECT_EQ(message_of({.max_blocking_threads = 0}),
            "magpie: expected runtime_options::max_blocking_threads to be at least 1");
}

TEST(runtime_alone, must_not_be_destroyed_by_its_own_worker) {
  const auto suicide = [] {
    auto owner = std::make_unique<magpie::runtime>(magpie::runtime_options{.workers = 1});
    const auto destroy = [](std::unique_ptr<magpie::runtime>& victim) -> magpie::task<> {
      victim.reset();
      co_return;
    };
    owner->block_on(destroy(owner));
  };
  EXPECT_DEATH(suicide(), "expected a runtime to be destroyed on a thread that is not one of its");
}

TEST(runtime_alone, spawn_outside_of_a_task_is_an_error) {
  EXPECT_THROW(static_cast<void>(magpie::spawn(give(1))), magpie::invalid_state);
}

TEST_P(runtime, counts_what_its_workers_do) {
  magpie::runtime tested{{.workers = GetParam()}};
  for (int i = 0; i < 10; ++i) tested.block_on(give(i));
  std::uint64_t jobs = 0;
  for (const auto& worker : tested.statistics().workers) jobs += worker.jobs;
  EXPECT_EQ(jobs, 10U);
}

}  // namespace
