#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <magpie/errors.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/yield.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

// A request to cancel a task that awaits another's handle is passed on to that one.

namespace {

using namespace std::chrono_literals;
using magpie::test::announced_seed;
using magpie::test::await_handle;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::reason_of;
using magpie::test::scaled;
using magpie::test::sleep_and_give;
using magpie::test::swallow;

class cancel_awaiting : public magpie::test::cancelling {
 protected:
  /// Shorter in each of many rounds, and where a throw takes most of a millisecond.
  [[nodiscard]] static std::size_t chain_length() {
    return is_virtual() || magpie::test::throws_slowly ? 10'000 : 100'000;
  }
};
MAGPIE_FOR_EACH_RUNTIME(cancel_awaiting);

class cancel_awaiting_by_threads : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_WORKER_COUNT(cancel_awaiting_by_threads);

class cancel_awaiting_on_one_thread : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_SINGLE_THREAD(cancel_awaiting_on_one_thread);

/// Gives the reason instead, and how often its own task has been asked.
magpie::task<std::string> await_and_swallow(magpie::task_handle<int> awaited) {
  std::string seen = "(a result)";
  try {
    co_await awaited;
  } catch (const magpie::cancelled& stopped) {
    seen = stopped.reason();
  }
  co_await magpie::yield();
  co_await magpie::sleep_for(100us);
  seen += " " + std::to_string(magpie::current_task().cancelling());
  co_return seen;
}

// Rule 18: cancelling an awaiter cancels the awaited task, and so all its awaiters. Rule 24: with
// the reason.

TEST_P(cancel_awaiting, asks_the_awaited_task_to_end) {
  const auto awaited = runtime.spawn(sleep_and_give(1));
  const auto awaiter = runtime.spawn(await_handle(awaited));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(awaiter.cancel("no more"));
  ASSERT_TRUE(ends(awaiter));
  EXPECT_TRUE(awaiter.cancelled());
  EXPECT_TRUE(awaited.cancelled());
  EXPECT_EQ(awaited.cancelling(), 1U);
  EXPECT_EQ(awaiter.cancelling(), 1U);
  EXPECT_EQ(reason_of(awaited), "no more");
  EXPECT_EQ(reason_of(awaiter), "no more");
}

TEST_P(cancel_awaiting, asks_the_awaited_task_whose_only_handle_is_awaited) {
  const auto await_temporary = []() -> magpie::task<int> {
    const int value = co_await magpie::spawn(sleep_and_give(1));
    co_return value;
  };
  const auto awaiter = runtime.spawn(await_temporary());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(awaiter.cancel("no more"));
  ASSERT_TRUE(ends(awaiter));
  EXPECT_EQ(reason_of(awaiter), "no more");
  EXPECT_TRUE(eventually([&] { return runtime.all_tasks().empty(); }));
}

TEST_P(cancel_awaiting, ends_all_awaiters) {
  const auto awaited = runtime.spawn(sleep_and_give(1));
  std::vector<magpie::task_handle<std::string>> awaiters;
  for (int i = 0; i < 100; ++i) awaiters.push_back(runtime.spawn(await_and_swallow(awaited)));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(awaiters[40].cancel("all of you"));
  for (std::size_t i = 0; i < awaiters.size(); ++i) {
    ASSERT_TRUE(ends(awaiters[i]));
    EXPECT_EQ(awaiters[i].result(), i == 40 ? "all of you 1" : "all of you 0");
  }
}

TEST_P(cancel_awaiting, waits_for_the_awaited_task_to_clean_up) {
  std::atomic<bool> cleans_up{false};
  std::atomic<bool> may_end{false};
  const auto clean_up = [&]() -> magpie::task<int> {
    const std::string reason = co_await swallow();
    cleans_up = true;
    while (!may_end) co_await magpie::yield();
    throw magpie::cancelled(reason);
  };
  const auto awaited = runtime.spawn(clean_up());
  const auto awaiter = runtime.spawn(await_handle(awaited));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(awaiter.cancel("first"));
  EXPECT_TRUE(eventually([&] { return cleans_up.load(); }));
  EXPECT_FALSE(awaiter.done());
  may_end = true;
  ASSERT_TRUE(ends(awaiter));
  EXPECT_TRUE(awaited.cancelled());
  EXPECT_EQ(reason_of(awaiter), "first");
}

TEST_P(cancel_awaiting, gives_the_value_of_an_awaited_task_that_swallows) {
  const auto awaited = runtime.spawn(swallow());
  const auto go_on = [&]() -> magpie::task<std::string> {
    const std::string value = co_await awaited;
    for (int i = 0; i < 10; ++i) co_await magpie::yield();
    co_await magpie::sleep_for(100us);
    co_return value + "!";
  };
  const auto awaiter = runtime.spawn(go_on());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(awaiter.cancel("please"));
  ASSERT_TRUE(ends(awaiter));
  EXPECT_EQ(awaiter.result(), "please!");
  EXPECT_EQ(awaiter.cancelling(), 1U);
  EXPECT_FALSE(awaited.cancelled());
}

TEST_P(cancel_awaiting, gives_the_failure_of_an_awaited_task_that_fails_cleaning_up) {
  const auto fail_cleaning_up = []() -> magpie::task<int> {
    const std::string reason = co_await swallow();
    throw std::runtime_error(reason);
  };
  const auto awaited = runtime.spawn(fail_cleaning_up());
  const auto awaiter = runtime.spawn(await_handle(awaited));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(awaiter.cancel());
  ASSERT_TRUE(ends(awaiter));
  EXPECT_FALSE(awaiter.cancelled());
  EXPECT_THROW(awaiter.result(), std::runtime_error);
}

TEST_P(cancel_awaiting, passes_each_request_on) {
  const auto swallow_twice = []() -> magpie::task<std::string> {
    const std::string first = co_await swallow();
    const std::string second = co_await swallow();
    co_return first + second;
  };
  const auto awaited = runtime.spawn(swallow_twice());
  const auto awaiter = runtime.spawn(await_handle(awaited));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(awaiter.cancel("a"));
  ASSERT_TRUE(nothing_runs());
  EXPECT_FALSE(awaiter.done());
  EXPECT_TRUE(awaiter.cancel("b"));
  ASSERT_TRUE(ends(awaiter));
  EXPECT_EQ(awaiter.result(), "ab");
  EXPECT_EQ(awaited.cancelling(), 2U);
}

TEST_P(cancel_awaiting_by_threads, passes_on_to_another_runtime) {
  magpie::runtime other{{.workers = 1}};
  const auto awaited = other.spawn(sleep_and_give(1));
  const auto awaiter = runtime.spawn(await_handle(awaited));
  const auto backwards = other.spawn(await_handle(awaiter));
  ASSERT_TRUE(magpie::test::nothing_runs(GetParam() + 1, 2));
  EXPECT_TRUE(backwards.cancel("far away"));
  ASSERT_TRUE(ends(backwards));
  EXPECT_EQ(reason_of(awaited), "far away");
  EXPECT_EQ(reason_of(awaiter), "far away");
  EXPECT_EQ(reason_of(backwards), "far away");
}

TEST_P(cancel_awaiting, of_the_awaited_task_is_seen_by_its_awaiters_with_the_reason) {
  const auto awaited = runtime.spawn(sleep_and_give(1));
  const auto awaiter = runtime.spawn(await_and_swallow(awaited));
  const auto passive = runtime.spawn(await_handle(awaited));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(awaited.cancel("from below"));
  ASSERT_TRUE(ends(awaiter));
  EXPECT_EQ(awaiter.result(), "from below 0");
  ASSERT_TRUE(ends(passive));
  EXPECT_TRUE(passive.cancelled());
  EXPECT_EQ(passive.cancelling(), 0U);
  EXPECT_EQ(reason_of(passive), "from below");
}

// Rule 27: the awaited task has ended, then the awaiter is cancelled before it resumes.

TEST_P(cancel_awaiting_on_one_thread, after_the_awaited_task_has_ended_throws) {
  // Whoever is resumed first cancels all the others: they have what they wait for.
  constexpr std::size_t count = 20;
  std::vector<magpie::task_handle<int>> awaiters(count);
  int told = 0;
  const auto cancel_others = [&](magpie::task_handle<int> awaited) -> magpie::task<int> {
    const int value = co_await awaited;
    for (const auto& each : awaiters) {
      if (each != magpie::current_task() && each.cancel("too slow")) ++told;
    }
    co_return value;
  };
  const auto race = [&]() -> magpie::task<int> {
    const auto awaited = magpie::spawn(give(5));
    for (auto& each : awaiters) each = magpie::spawn(cancel_others(awaited));
    co_await magpie::yield();
    int winners = 0;
    for (const auto& each : awaiters) {
      try {
        winners += co_await each == 5 ? 1 : 0;
      } catch (const magpie::cancelled& stopped) {
        EXPECT_EQ(stopped.reason(), "too slow");
        EXPECT_EQ(each.cancelling(), 1U);
      }
    }
    EXPECT_EQ(awaited.result(), 5);
    EXPECT_EQ(awaited.cancelling(), 0U) << "it had ended";
    co_return winners;
  };
  EXPECT_EQ(runtime.block_on(race()), 1);
  EXPECT_EQ(told, static_cast<int>(count) - 1);
}

TEST_P(cancel_awaiting_on_one_thread, after_the_awaited_task_has_ended_loses_no_result) {
  // Two awaiters of one handle each; a third task is resumed before one of them and cancels it.
  const auto take = [](magpie::task_handle<counted>& kept) -> magpie::task<int> {
    const counted& value = co_await kept;
    co_return value.value;
  };
  std::vector<magpie::task_handle<int>> takers;
  const auto cancel_all = [&](magpie::task_handle<counted> awaited) -> magpie::task<> {
    co_await awaited;
    for (const auto& each : takers) each.cancel();
  };
  const auto run = [&]() -> magpie::task<> {
    const auto make = []() -> magpie::task<counted> { co_return counted(9); };
    auto awaited = magpie::spawn(make());
    const auto first = magpie::spawn(cancel_all(awaited));
    takers.push_back(magpie::spawn(take(awaited)));
    const auto last = magpie::spawn(cancel_all(awaited));
    co_await first;
    co_await last;
    bool was_taken = false;
    try {
      was_taken = co_await takers.front() == 9;
    } catch (const magpie::cancelled&) {
    }
    EXPECT_NE(was_taken, takers.front().cancelled());
    EXPECT_TRUE(is_virtual() || !was_taken) << "in their order, unless a seed decides";
    EXPECT_EQ(awaited.result().value, 9);
  };
  runtime.block_on(run());
  EXPECT_TRUE(eventually([] { return counted::alive() == 0; }));
}

TEST_P(cancel_awaiting, that_races_with_the_end_of_the_awaited_task_is_consistent) {
  for (std::size_t i = 0; i < scaled(100'000); ++i) {
    const auto awaited = runtime.spawn(give(6));
    const auto awaiter = runtime.spawn(await_handle(awaited));
    const bool told = awaiter.cancel();
    ASSERT_TRUE(ends(awaiter));
    ASSERT_EQ(awaiter.cancelled(), told);
    if (!told) {
      ASSERT_EQ(awaiter.result(), 6);
    }
    ASSERT_TRUE(ends(awaited));
    ASSERT_EQ(awaited.cancelled(), awaited.cancelling() == 1);
  }
}

// Many.

template <class Handles>
[[nodiscard]] std::size_t cancelled_of(const Handles& handles, const std::string& reason) {
  std::size_t count = 0;
  for (const auto& each : handles) {
    if (ends(each) && each.cancelled() && reason_of(each) == reason) ++count;
  }
  return count;
}

TEST_P(cancel_awaiting, goes_down_a_chain_of_tasks_and_unwinds_it) {
  const auto frames = magpie::frame_statistics().live;
  {
    std::vector<magpie::task_handle<int>> chain{runtime.spawn(sleep_and_give(1))};
    while (chain.size() < chain_length())
      chain.push_back(runtime.spawn(await_handle(chain.back())));
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(chain.back().cancel("all the way"));
    EXPECT_EQ(cancelled_of(chain, "all the way"), chain.size());
    for (const auto& each : chain) ASSERT_EQ(each.cancelling(), 1U);
  }
  EXPECT_TRUE(eventually([&] { return magpie::frame_statistics().live == frames; }));
}

TEST_P(cancel_awaiting, of_the_first_of_a_chain_goes_up_the_chain) {
  std::vector<magpie::task_handle<int>> chain{runtime.spawn(sleep_and_give(1))};
  while (chain.size() < chain_length()) chain.push_back(runtime.spawn(await_handle(chain.back())));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(chain.front().cancel("all the way"));
  EXPECT_EQ(cancelled_of(chain, "all the way"), chain.size());
  EXPECT_EQ(chain.back().cancelling(), 0U);
}

TEST_P(cancel_awaiting, of_one_of_many_awaiters_ends_the_crowd) {
  const auto awaited = runtime.spawn(sleep_and_give(1));
  std::vector<magpie::task<int>> bodies;
  for (int i = 0; i < 20'000; ++i) bodies.push_back(await_handle(awaited));
  const auto crowd = runtime.spawn_many(std::move(bodies));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(crowd[777].cancel("out"));
  EXPECT_EQ(cancelled_of(crowd, "out"), crowd.size());
}

TEST_P(cancel_awaiting_by_threads, of_many_in_a_chain_by_many_threads_ends_all) {
  std::mt19937_64 random(announced_seed());
  for (std::size_t round = 0; round < scaled(2500); ++round) {
    constexpr std::size_t length = 50;
    std::vector<magpie::task_handle<int>> chain{runtime.spawn(sleep_and_give(1))};
    while (chain.size() < length) chain.push_back(runtime.spawn(await_handle(chain.back())));
    std::vector<std::thread> cancellers;
    for (int i = 0; i < 3; ++i) {
      cancellers.emplace_back([&, seed = random()] {
        std::mt19937_64 mine(seed);
        for (std::size_t k = 0; k < length / 2; ++k) chain[mine() % length].cancel();
      });
    }
    for (std::thread& each : cancellers) each.join();
    chain.front().cancel();  // nobody may have come so far
    for (const auto& each : chain) {
      ASSERT_TRUE(ends(each));
      ASSERT_TRUE(each.cancelled());
    }
  }
}

}  // namespace
