#include <magpie/detail/wait_description.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <magpie/runtime.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

// What a task waits for, in words.

namespace {

using namespace std::chrono_literals;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::give_when;
using magpie::test::scaled;
using magpie::test::sleep_and_give;

class wait_description : public magpie::test::cancelling {
 protected:
  template <class Handle>
  [[nodiscard]] static bool comes_to_wait_for(const Handle& handle, const std::string& what) {
    return eventually([&] { return handle.waiting_for() == what; });
  }
};
MAGPIE_FOR_EACH_RUNTIME(wait_description);

class wait_description_by_threads : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_WORKER_COUNT(wait_description_by_threads);

magpie::task<> sleep_until(magpie::time_point deadline) { co_await magpie::sleep_until(deadline); }

TEST_P(wait_description, tells_a_sleep_and_how_long_it_is_yet) {
  const auto sleeper = runtime.spawn(sleep_until(runtime.now() + 100h));
  ASSERT_TRUE(eventually([&] { return sleeper.waiting_for().rfind("sleep, 3", 0) == 0; }))
      << sleeper.waiting_for();
  const std::string words = sleeper.waiting_for();
  const double seconds = std::stod(words.substr(words.find(", ") + 2));
  EXPECT_LE(seconds, 360'000);
  EXPECT_GT(seconds, 359'000);
  EXPECT_EQ(words.substr(words.size() - 8), " s to go");
  const auto for_ever = runtime.spawn(sleep_until(magpie::time_point::max()));
  EXPECT_TRUE(comes_to_wait_for(for_ever, "sleep"));
}

TEST_P(wait_description, tells_an_awaited_task_by_name) {
  const auto fetch = runtime.spawn(sleep_and_give(1), {.name = "fetch"});
  const auto wait = [](magpie::task_handle<int> handle) -> magpie::task<int> {
    co_return co_await handle;
  };
  const auto waiter = runtime.spawn(wait(fetch));
  EXPECT_TRUE(comes_to_wait_for(waiter, "task \"fetch\""));
  fetch.set_name("renamed");
  EXPECT_TRUE(comes_to_wait_for(waiter, "task \"renamed\""));
  const auto shielding = runtime.spawn(magpie::shield(fetch));
  EXPECT_TRUE(comes_to_wait_for(shielding, "shielded task \"renamed\""));
}

TEST_P(wait_description, finds_what_is_within_timeouts) {
  const auto fetch = runtime.spawn(sleep_and_give(1), {.name = "fetch"});
  const auto body = [&](magpie::timeout_scope&) -> magpie::task<int> {
    co_return co_await magpie::wait_for(fetch, 200h);
  };
  const auto limited = [&]() -> magpie::task<int> {
    co_return co_await magpie::with_timeout(100h, body);
  };
  const auto waiter = runtime.spawn(limited());
  // The outer timeout ends first.
  const std::string expected = "task \"fetch\"; timeout in 3";
  EXPECT_TRUE(eventually([&] { return waiter.waiting_for().rfind(expected, 0) == 0; }))
      << waiter.waiting_for();
}

TEST_P(wait_description, tells_who_runs_or_is_ready_and_who_is_done) {
  std::atomic<bool> open{false};
  const auto busy = runtime.spawn(give_when(open, 1));
  EXPECT_EQ(busy.waiting_for(), "nothing (ready or running)");
  open = true;
  ASSERT_TRUE(ends(busy));
  EXPECT_EQ(busy.waiting_for(), "nothing (done)");
}

// Not by a handle more: the awaiting task takes the result of the last one.
TEST_P(wait_description_by_threads, does_not_come_between_a_task_and_its_result) {
  const auto make = []() -> magpie::task<std::unique_ptr<int>> {
    co_await magpie::yield();
    co_return std::make_unique<int>(1);
  };
  const std::size_t rounds = scaled(1e5);
  const auto take = [&]() -> magpie::task<std::size_t> {
    std::size_t taken = 0;
    for (std::size_t i = 0; i < rounds; ++i) {
      auto handle = magpie::spawn(make(), {.name = "made"});
      const std::unique_ptr<int> result = co_await std::move(handle);
      taken += static_cast<std::size_t>(*result);
    }
    co_return taken;
  };
  const auto taker = runtime.spawn(take());
  const auto look = [&] {
    while (!taker.done()) {
      const std::string words = taker.waiting_for();
      EXPECT_TRUE(words == "task \"made\"" || words.rfind("nothing", 0) == 0) << words;
    }
  };
  std::thread other(look);
  look();
  other.join();
  EXPECT_EQ(taker.result(), rounds);
}

// Two that look at each other while both run on.
TEST_P(wait_description, can_be_asked_of_tasks_that_await_each_other_by_turns) {
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> looks{0};
  const auto watch = [&](std::vector<magpie::task_handle<int>>& all) -> magpie::task<> {
    while (!stop) {
      for (const auto& each : all) {
        EXPECT_FALSE(each.waiting_for().empty());
        ++looks;
      }
      co_await magpie::yield();
    }
  };
  std::atomic<bool> open{false};
  const auto wait = [](magpie::task_handle<int> handle) -> magpie::task<int> {
    co_return co_await handle;
  };
  std::vector<magpie::task_handle<int>> chain{runtime.spawn(give_when(open, 1))};
  for (int i = 0; i < 50; ++i) chain.push_back(runtime.spawn(wait(chain.back())));
  std::vector<magpie::task_handle<>> watchers;
  for (int i = 0; i < 3; ++i) watchers.push_back(runtime.spawn(watch(chain)));
  EXPECT_TRUE(eventually([&] { return looks > 1000; }));
  open = true;
  EXPECT_TRUE(ends(chain.back()));
  stop = true;
  for (const auto& each : watchers) EXPECT_TRUE(ends(each));
}

}  // namespace
