#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/task.hpp>
#include <magpie/task_handle.hpp>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

namespace {

using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::wait_until_done;

/// Where the tasks are spawned.
enum class place { in_a_thread, in_a_task };

class spawn_many : public magpie::test::each_worker_count {
 protected:
  /// spawn_many() from there. In a task it is the free function.
  template <class T>
  std::vector<magpie::task_handle<T>> spawn_from(place where, std::vector<magpie::task<T>> bodies,
                                                 magpie::spawn_options options = {}) {
    if (where == place::in_a_thread) return runtime.spawn_many(std::move(bodies), options);
    const auto spawner =
        [](std::vector<magpie::task<T>> moved,
           magpie::spawn_options same) -> magpie::task<std::vector<magpie::task_handle<T>>> {
      co_return magpie::spawn_many(std::move(moved), same);
    };
    return runtime.block_on(spawner(std::move(bodies), options));
  }

  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(spawn_many);

constexpr place everywhere[] = {place::in_a_thread, place::in_a_task};

/// Around the 64 that are submitted at once from outside, and beyond a worker's 256.
constexpr std::size_t sizes[] = {1, 2, 63, 64, 65, 128, 255, 256, 257, 5000};

magpie::task<std::size_t> note_in(std::vector<std::atomic<int>>& runs, std::size_t number) {
  runs[number].fetch_add(1);
  co_return number;
}

magpie::task<int> hold(counted parameter, std::atomic<int>& started) {
  ++started;
  co_return parameter.value;
}

TEST_P(spawn_many, runs_each_once_and_gives_handles_in_order) {
  for (const place where : everywhere) {
    for (const std::size_t size : sizes) {
      std::vector<std::atomic<int>> runs(size);
      std::vector<magpie::task<std::size_t>> bodies;
      for (std::size_t i = 0; i < size; ++i) bodies.push_back(note_in(runs, i));
      const auto handles = spawn_from(where, std::move(bodies));
      ASSERT_EQ(handles.size(), size);
      for (std::size_t i = 0; i < size; ++i) {
        wait_until_done(handles[i]);
        ASSERT_EQ(handles[i].result(), i);
        ASSERT_EQ(runs[i], 1);
      }
    }
  }
}

TEST_P(spawn_many, gives_all_the_same_options) {
  for (const place where : everywhere) {
    for (const char* const name : {"one of many", "one of many, with a name that needs memory"}) {
      std::vector<magpie::task<int>> bodies;
      for (int i = 0; i < 100; ++i) bodies.push_back(magpie::test::give(i));
      const auto handles = spawn_from(where, std::move(bodies), {.name = name});
      for (const auto& each : handles) EXPECT_EQ(each.name(), name);
      handles.front().set_name("alone");
      EXPECT_EQ(handles.front().name(), "alone");
      EXPECT_EQ(handles.back().name(), name);
    }
  }
}

TEST_P(spawn_many, numbers_those_without_a_name) {
  std::vector<magpie::task<int>> bodies;
  for (int i = 0; i < 1000; ++i) bodies.push_back(magpie::test::give(i));
  std::set<std::string> names;
  for (const auto& each : runtime.spawn_many(std::move(bodies))) {
    EXPECT_EQ(each.name().rfind("Task-", 0), 0U) << each.name();
    names.insert(each.name());
  }
  EXPECT_EQ(names.size(), 1000U);
}

TEST_P(spawn_many, of_none_gives_none) {
  for (const place where : everywhere) {
    EXPECT_TRUE(spawn_from(where, std::vector<magpie::task<int>>{}).empty());
  }
  EXPECT_EQ(runtime.block_on(magpie::test::give(1)), 1);
}

TEST_P(spawn_many, starts_none_when_one_is_empty) {
  for (const place where : everywhere) {
    for (const std::size_t empty : {0U, 50U, 99U}) {
      std::atomic<int> started{0};
      std::vector<magpie::task<int>> bodies;
      for (int i = 0; i < 100; ++i) bodies.push_back(hold(counted(i), started));
      const magpie::task<int> taken_from_there = std::move(bodies[empty]);
      EXPECT_THROW(static_cast<void>(spawn_from(where, std::move(bodies))), magpie::invalid_state);
      EXPECT_EQ(counted::alive(), 1) << "they are destroyed, but for the one taken out";
      EXPECT_TRUE(eventually([&] { return runtime.all_tasks().empty(); }));
      EXPECT_EQ(started, 0);
    }
  }
  EXPECT_EQ(runtime.block_on(magpie::test::give(1)), 1);
}

TEST_P(spawn_many, starts_all_though_nobody_keeps_a_handle) {
  std::atomic<int> started{0};
  {
    magpie::runtime other{{.workers = GetParam()}};
    for (int round = 0; round < 10; ++round) {
      std::vector<magpie::task<int>> bodies;
      for (int i = 0; i < 300; ++i) bodies.push_back(hold(counted(i), started));
      static_cast<void>(other.spawn_many(std::move(bodies)));
    }
    EXPECT_TRUE(eventually([&] { return started.load() == 3000; }));
  }
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(spawn_many, serves_many_threads_and_tasks_at_once) {
  std::atomic<int> started{0};
  const auto spawn_some = [&](auto spawn_them) {
    for (int round = 0; round < 20; ++round) {
      std::vector<magpie::task<int>> bodies;
      for (int i = 0; i < 100; ++i) bodies.push_back(hold(counted(i), started));
      for (const auto& each : spawn_them(std::move(bodies))) EXPECT_FALSE(each.cancelled());
    }
  };
  const auto in_task = [&]() -> magpie::task<> {
    spawn_some([](auto bodies) { return magpie::spawn_many(std::move(bodies)); });
    co_return;
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      spawn_some([&](auto bodies) { return runtime.spawn_many(std::move(bodies)); });
      runtime.block_on(in_task());
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_TRUE(eventually([&] { return started == 2 * 3 * 20 * 100; })) << started;
}

// From a task of one runtime into another.
TEST_P(spawn_many, reaches_another_runtime) {
  magpie::runtime other{{.workers = 2}};
  const auto spawner = [&other]() -> magpie::task<bool> {
    std::vector<magpie::task<int>> bodies;
    for (int i = 0; i < 200; ++i) bodies.push_back(magpie::test::give(i));
    const auto handles = other.spawn_many(std::move(bodies));
    for (std::size_t i = 0; i < handles.size(); ++i) {
      const int& result = co_await handles[i];
      if (result != static_cast<int>(i)) co_return false;
    }
    co_return true;
  };
  EXPECT_TRUE(runtime.block_on(spawner()));
}

// From a thread they are taken by handfuls of 64, and in turns of fairness one of the next handful
// may pass some of the one before.
TEST(spawn_many_alone, begins_them_in_order) {
  for (const place where : everywhere) {
    const std::size_t size = where == place::in_a_thread ? 64 : 1000;
    magpie::runtime one{{.workers = 1}};
    std::vector<std::size_t> order;
    const auto note = [&order](std::size_t number) -> magpie::task<> {
      order.push_back(number);
      co_return;
    };
    const auto make = [&note, size] {
      std::vector<magpie::task<>> bodies;
      for (std::size_t i = 0; i < size; ++i) bodies.push_back(note(i));
      return bodies;
    };
    const auto spawner = [&]() -> magpie::task<> {
      const auto handles = magpie::spawn_many(make());
      for (const auto& each : handles) co_await each;
    };
    if (where == place::in_a_thread) {
      for (const auto& each : one.spawn_many(make())) wait_until_done(each);
    } else {
      one.block_on(spawner());
    }
    ASSERT_EQ(order.size(), size);
    for (std::size_t i = 0; i < order.size(); ++i) ASSERT_EQ(order[i], i);
  }
}

TEST(spawn_many_alone, outside_of_a_task_is_an_error) {
  std::atomic<int> started{0};
  std::vector<magpie::task<int>> bodies;
  bodies.push_back(hold(counted(1), started));
  EXPECT_THROW(static_cast<void>(magpie::spawn_many(std::move(bodies))), magpie::invalid_state);
  EXPECT_EQ(started, 0);
}

}  // namespace
