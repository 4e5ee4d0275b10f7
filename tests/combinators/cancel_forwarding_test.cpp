#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/magpie.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/cancelling.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

// Requests that are forwarded from task to task: along every wait for a handle, to each task once.

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::task_handle;
using magpie::test::await_handle;
using magpie::test::ends;
using magpie::test::reason_of;
using magpie::test::scaled;

class forwarding_of_requests : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(forwarding_of_requests);

/// Is interrupted, cleans up for a while, and gives how often that was interrupted.
task<int> clean_up_after_a_request() {
  int interruptions = 0;
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled&) {
  }
  for (int i = 0; i < 100; ++i) {
    try {
      co_await magpie::yield();
      if (i % 20 == 0) co_await magpie::sleep_for(10us);
    } catch (const magpie::cancelled&) {
      ++interruptions;
    }
  }
  co_return interruptions;
}

TEST_P(forwarding_of_requests, reaches_a_task_once_however_many_await_it) {
  const auto awaited = runtime.spawn(clean_up_after_a_request());
  const auto root = [&](std::size_t children) -> task<std::vector<int>> {
    std::vector<task<int>> all;
    for (std::size_t i = 0; i < children; ++i) all.push_back(await_handle(awaited));
    co_return co_await magpie::gather(std::move(all));
  };
  const auto gathering = runtime.spawn(root(5'000));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(gathering.cancel());
  ASSERT_TRUE(ends(gathering));
  ASSERT_TRUE(awaited.done());
  EXPECT_EQ(awaited.result(), 0);
  EXPECT_EQ(awaited.cancelling(), 1U);
}

TEST_P(forwarding_of_requests, lets_the_awaited_task_answer_on_every_way) {
  const auto last = runtime.spawn(clean_up_after_a_request());
  const auto left = runtime.spawn(await_handle(last));
  const auto right = runtime.spawn(await_handle(left));
  const auto root = [&]() -> task<int> {
    const auto both =
        co_await magpie::gather(await_handle(left), await_handle(right), await_handle(last));
    co_return std::get<0>(both) + std::get<1>(both) + std::get<2>(both);
  };
  const auto first = runtime.spawn(root());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(first.cancel("enough"));
  ASSERT_TRUE(ends(first));
  for (const auto& each : {last, left, right}) {
    ASSERT_TRUE(ends(each));
    EXPECT_FALSE(each.cancelled());
    EXPECT_EQ(each.result(), 0);
    EXPECT_EQ(each.cancelling(), 1U);
  }
  EXPECT_EQ(reason_of(first), "enough");  // a gather is cancelled, whatever its children do
}

TEST_P(forwarding_of_requests, ends_a_ring_that_is_closed_by_a_gather_of_handles) {
  std::atomic<bool> is_closed{false};
  task_handle<int> gathering;
  const auto await_gathering = [&]() -> task<int> {
    while (!is_closed) co_await magpie::yield();
    co_return co_await gathering;
  };
  const auto sleeping = runtime.spawn(magpie::test::sleep_and_give(1));
  const auto back = runtime.spawn(await_gathering());
  const auto gather_both = [&]() -> task<int> {
    co_await magpie::gather(back, sleeping);
    co_return 0;
  };
  gathering = runtime.spawn(gather_both());
  is_closed = true;
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(back.cancel("enough"));
  for (const auto& each : {gathering, back, sleeping}) {
    ASSERT_TRUE(ends(each));
    EXPECT_EQ(reason_of(each), "enough");
  }
}

/// Tasks that await some of each other, in every way there is.
class tangle {
 public:
  tangle(magpie::runtime& runtime, std::size_t size, std::uint64_t seed) : random_(seed) {
    for (std::size_t i = 0; i < size; ++i) {
      std::vector<std::size_t> others;
      for (std::size_t k = random_() % 3; k-- > 0;) others.push_back(random_() % size);
      std::erase(others, i);
      tasks_.push_back(runtime.spawn(await_all(*this, std::move(others), random_() % 4)));
    }
    is_complete_ = true;
  }

  [[nodiscard]] const std::vector<task_handle<>>& tasks() const { return tasks_; }

 private:
  static task<> await_one(tangle& mine, std::size_t other) { co_await mine.tasks_[other]; }

  static task<> await_all(tangle& mine, std::vector<std::size_t> others, std::uint64_t way) {
    while (!mine.is_complete_) co_await magpie::yield();
    if (others.empty()) co_await magpie::sleep_for(1000h);
    switch (way) {
      case 0:  // one after the other, in spite of everything
        for (const std::size_t each : others) {
          try {
            co_await mine.tasks_[each];
          } catch (const magpie::cancelled&) {
          }
        }
        break;
      case 1: {
        std::vector<task_handle<>> handles;
        for (const std::size_t each : others) handles.push_back(mine.tasks_[each]);
        co_await magpie::gather(std::move(handles));
        break;
      }
      case 2: {
        std::vector<task<>> children;
        for (const std::size_t each : others) children.push_back(await_one(mine, each));
        co_await magpie::gather(std::move(children));
        break;
      }
      default:
        for (const std::size_t each : others) co_await magpie::wait_for(mine.tasks_[each], 1h);
    }
  }

  std::mt19937_64 random_;
  std::vector<task_handle<>> tasks_;
  std::atomic<bool> is_complete_{false};
};

class forwarding_by_threads : public magpie::test::each_worker_count {};
MAGPIE_FOR_EACH_WORKER_COUNT(forwarding_by_threads);

TEST_P(forwarding_by_threads, ends_whatever_awaits_whatever) {
  magpie::runtime runtime{{.workers = GetParam()}};
  std::mt19937_64 random(magpie::test::announced_seed());
  for (std::size_t round = 0; round < scaled(20'000); ++round) {
    const tangle made(runtime, 2 + random() % 12, random());
    std::vector<std::thread> cancellers;
    for (int k = 0; k < 3; ++k) {
      cancellers.emplace_back([&made, first = random()] {
        const std::size_t size = made.tasks().size();
        for (std::size_t i = 0; i < size; ++i) made.tasks()[(first + i) % size].cancel();
      });
    }
    for (std::thread& each : cancellers) each.join();
    // A task that has swallowed a request may wait again for one that waits for it.
    const auto end_all = [&] {
      return std::ranges::all_of(made.tasks(), [](const auto& each) { return !each.cancel(); });
    };
    ASSERT_TRUE(magpie::test::eventually(end_all)) << "round " << round;
  }
}

}  // namespace
