#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <magpie/runtime.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

// all_tasks() while tasks are spawned and end on all workers.

namespace {

using magpie::test::eventually;
using magpie::test::give;
using magpie::test::give_when;
using magpie::test::scaled;
using magpie::test::wait_until_done;

class all_tasks : public magpie::test::each_worker_count {
 protected:
  /// Lets the tasks end that wait for it, also when the test returns early: before their runtime,
  /// which waits for them.
  struct release {
    explicit release(all_tasks& of) : test(of) {}
    release(const release&) = delete;
    release& operator=(const release&) = delete;
    ~release() {
      test.stop = true;
      test.open = true;
    }
    all_tasks& test;
  };

  /// Tasks that end, each of which spawns another, until `stop`.
  void begin_churn(magpie::runtime& target) {
    for (std::size_t i = 0; i < 4 * GetParam(); ++i) {
      static_cast<void>(target.spawn(relay(*this), {.name = "churn, under a longer name"}));
    }
  }

  static magpie::task<> relay(all_tasks& test) {
    test.relays.fetch_add(1, std::memory_order_relaxed);
    static_cast<void>(magpie::spawn(give(1)));
    if (test.relays.load(std::memory_order_relaxed) % 4 == 0) co_await magpie::yield();
    if (!test.stop) {
      static_cast<void>(magpie::spawn(relay(test), {.name = "churn, under a longer name"}));
    }
  }

  [[nodiscard]] static std::size_t how_often(const std::vector<magpie::any_task_handle>& among,
                                             const magpie::any_task_handle& one) {
    return static_cast<std::size_t>(std::count(among.begin(), among.end(), one));
  }

  std::atomic<bool> stop{false};
  std::atomic<bool> open{false};
  std::atomic<std::size_t> relays{0};
};
MAGPIE_FOR_EACH_WORKER_COUNT(all_tasks);

TEST_P(all_tasks, lists_the_living_once_and_the_ended_never) {
  magpie::runtime runtime{{.workers = GetParam()}};
  const release at_the_end{*this};
  std::vector<magpie::any_task_handle> living;
  std::vector<magpie::any_task_handle> ended;
  for (int i = 0; i < 100; ++i) {
    living.push_back(runtime.spawn(give_when(open, i), {.name = "waits"}));
    ended.push_back(runtime.spawn(give(i), {.name = "ended"}));
    wait_until_done(ended.back());
  }
  begin_churn(runtime);
  std::size_t churn_seen = 0;
  for (std::size_t round = 0; round < scaled(1e4); ++round) {
    const auto found = runtime.all_tasks();
    for (const auto& each : living) ASSERT_EQ(how_often(found, each), 1U);
    for (const auto& each : ended) ASSERT_EQ(how_often(found, each), 0U);
    for (const auto& each : found) {
      const std::string name = each.name();
      const bool is_churn = name == "churn, under a longer name" || name.rfind("Task-", 0) == 0;
      ASSERT_TRUE(is_churn || name == "waits") << name;
      churn_seen += is_churn ? 1 : 0;
    }
  }
  EXPECT_GT(churn_seen, 0U);
}

// Rule 11. A task that is just ending is done for everybody at the same moment.
TEST_P(all_tasks, lists_a_task_until_it_is_done) {
  magpie::runtime runtime{{.workers = GetParam()}};
  const auto end_soon = []() -> magpie::task<> { co_await magpie::yield(); };
  for (std::size_t round = 0; round < scaled(1e5); ++round) {
    const auto spawned = runtime.spawn(end_soon());
    for (bool is_done = false; !is_done;) {
      const auto listed = runtime.all_tasks();
      const bool is_listed = std::find(listed.begin(), listed.end(), spawned) != listed.end();
      is_done = spawned.done();  // asked after the list was made
      ASSERT_TRUE(is_listed || is_done);
    }
  }
}

TEST_P(all_tasks, lists_those_of_its_runtime_alone) {
  magpie::runtime runtime{{.workers = GetParam()}};
  magpie::runtime other{{.workers = 2}};
  const release at_the_end{*this};
  const auto own = runtime.spawn(give_when(open, 1));
  const auto foreign = other.spawn(give_when(open, 2));
  begin_churn(other);
  for (std::size_t round = 0; round < scaled(1e4); ++round) {
    const auto found = runtime.all_tasks();
    ASSERT_EQ(found.size(), 1U);
    ASSERT_EQ(found[0], own);
    ASSERT_EQ(how_often(other.all_tasks(), foreign), 1U);
  }
}

TEST_P(all_tasks, can_be_asked_by_tasks_and_threads_at_once) {
  magpie::runtime runtime{{.workers = GetParam()}};
  begin_churn(runtime);
  const std::size_t rounds = scaled(5e3);
  const auto look = [&]() -> magpie::task<bool> {
    for (std::size_t round = 0; round < rounds; ++round) {
      if (how_often(runtime.all_tasks(), magpie::current_task()) != 1) co_return false;
      co_await magpie::yield();
    }
    co_return true;
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) threads.emplace_back([&] { EXPECT_TRUE(runtime.block_on(look())); });
  for (std::thread& each : threads) each.join();
  stop = true;
}

// The list holds a handle of each task for a moment. Whoever has the last handle that was given out
// gets the result all the same.
TEST_P(all_tasks, does_not_come_between_a_task_and_its_result) {
  magpie::runtime runtime{{.workers = GetParam()}};
  magpie::runtime other{{.workers = 1}};
  const auto make = [](int value) -> magpie::task<std::unique_ptr<int>> {
    co_return std::make_unique<int>(value);
  };
  const std::size_t rounds = scaled(1e6);
  const auto take = [&]() -> magpie::task<std::size_t> {
    std::size_t taken = 0;
    for (std::size_t i = 0; i < rounds; ++i) {
      auto handle = magpie::spawn(make(1));
      const std::unique_ptr<int> result = co_await std::move(handle);
      taken += static_cast<std::size_t>(*result);
    }
    co_return taken;
  };
  auto handle = runtime.spawn(take());
  while (!handle.done()) EXPECT_TRUE(other.all_tasks().empty());
  EXPECT_EQ(handle.exception(), nullptr);
  if (handle.exception() == nullptr) {
    EXPECT_EQ(handle.result(), rounds);
  }
}

// A runtime ends while other threads spawn into another.
TEST_P(all_tasks, does_not_mind_the_end_of_another_runtime) {
  magpie::runtime stays{{.workers = 2}};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      while (!stop) {
        std::vector<magpie::task<int>> bodies;
        for (int i = 0; i < 20; ++i) bodies.push_back(magpie::test::give_after_yields(i, i % 3));
        const auto handles = stays.spawn_many(std::move(bodies));
        EXPECT_EQ(stays.block_on(give(t)), t);
        for (const auto& each : stays.all_tasks()) EXPECT_FALSE(each.name().empty());
      }
    });
  }
  for (std::size_t round = 0; round < scaled(5e3); ++round) {
    std::optional<magpie::runtime> goes(std::in_place,
                                        magpie::runtime_options{.workers = GetParam()});
    std::vector<magpie::task_handle<int>> handles;
    for (int i = 0; i < 20; ++i) {
      handles.push_back(goes->spawn(magpie::test::give_after_yields(i, i % 3)));
    }
    static_cast<void>(goes->all_tasks());
    goes.reset();
    for (std::size_t i = 0; i < handles.size(); ++i) {
      ASSERT_TRUE(handles[i].done());
      if (handles[i].cancelled()) continue;
      ASSERT_EQ(handles[i].result(), static_cast<int>(i));
    }
  }
  stop = true;
  for (std::thread& each : threads) each.join();
}

}  // namespace
