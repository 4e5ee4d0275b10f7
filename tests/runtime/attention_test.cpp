#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/parallel_invoke.hpp>
#include <magpie/runtime.hpp>
#include <magpie/yield.hpp>
#include <thread>
#include <vector>

#include "support/eventually.hpp"
#include "support/invoke_so.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

// A computation that forks and joins does not come back to its worker's loop. What is ready
// meanwhile must run all the same, in between.

namespace {

using magpie::test::eventually;
using magpie::test::fibonacci;
using magpie::test::give;

/// Forks and joins until `stop`. False when that did not come, or the task was not the same again
/// after a fork.
magpie::task<bool> compute(std::atomic<bool>& stop, std::atomic<std::size_t>& begun) {
  ++begun;
  const magpie::any_task_handle self = magpie::current_task();
  bool is_right = true;
  const bool is_stopped = eventually([&] {
    is_right = fibonacci(12) == 144 && magpie::current_task() == self && is_right;
    return stop.load();
  });
  co_return is_stopped&& is_right;
}

class attention : public magpie::test::each_worker_count {
 protected:
  /// As many computations as there are workers, all under way.
  void begin() {
    for (std::size_t i = 0; i < GetParam(); ++i) {
      computations.push_back(runtime.spawn(compute(stop, begun)));
    }
    EXPECT_TRUE(eventually([&] { return begun == GetParam(); }));
  }

  void end() {
    for (const auto& each : computations) EXPECT_FALSE(each.done()) << "it did not wait for it";
    stop = true;
    for (const auto& each : computations) {
      magpie::test::wait_until_done(each);
      EXPECT_TRUE(each.result());
    }
  }

  std::atomic<bool> stop{false};
  std::atomic<std::size_t> begun{0};
  std::vector<magpie::task_handle<bool>> computations;
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(attention);

TEST_P(attention, comes_to_what_another_thread_submits) {
  begin();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(runtime.block_on(give(i)), i);
  end();
}

TEST_P(attention, comes_to_many) {
  begin();
  std::vector<magpie::task<int>> bodies;
  for (int i = 0; i < 1000; ++i) bodies.push_back(magpie::test::give_after_yields(i, 2));
  const auto handles = runtime.spawn_many(std::move(bodies));
  for (const auto& each : handles) EXPECT_TRUE(eventually([&] { return each.done(); }));
  end();
}

// What a computation itself has spawned waits in its own worker's lanes.
TEST_P(attention, comes_to_what_the_computation_spawned) {
  const auto spawner = []() -> magpie::task<bool> {
    std::vector<magpie::task_handle<int>> spawned;
    for (int i = 0; i < 300; ++i) spawned.push_back(magpie::spawn(give(i)));
    co_return eventually([&] {
      fibonacci(12);
      for (const auto& each : spawned) {
        if (!each.done()) return false;
      }
      return true;
    });
  };
  begin();
  EXPECT_TRUE(runtime.block_on(spawner()));
  end();
}

TEST_P(attention, leaves_the_interrupting_task_its_own_name) {
  const auto name = []() -> magpie::task<bool> {
    const magpie::any_task_handle self = magpie::current_task();
    const bool is_named = self.name() == "interrupts";
    fibonacci(12);
    const bool is_same = magpie::current_task() == self;
    co_await magpie::yield();
    co_return is_named&& is_same&& magpie::current_task() == self;
  };
  begin();
  for (int i = 0; i < 10; ++i) {
    const auto handle = runtime.spawn(name(), {.name = "interrupts"});
    EXPECT_TRUE(eventually([&] { return handle.done(); }));
    EXPECT_TRUE(handle.result());
  }
  end();
}

class attention_on_one_worker : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

// The second runs within the first, on the same stack, and is interrupted in its turn.
TEST_F(attention_on_one_worker, comes_to_computations_within_computations) {
  std::atomic<std::size_t> begun{0};
  std::atomic<bool> stop_first{false};
  std::atomic<bool> stop_second{false};
  const auto first = runtime.spawn(compute(stop_first, begun));
  ASSERT_TRUE(eventually([&] { return begun == 1; }));
  const auto second = runtime.spawn(compute(stop_second, begun));
  ASSERT_TRUE(eventually([&] { return begun == 2; }));
  EXPECT_EQ(runtime.block_on(give(1)), 1);
  stop_second = true;
  EXPECT_TRUE(eventually([&] { return second.done(); }));
  EXPECT_TRUE(second.result());
  EXPECT_FALSE(first.done());
  EXPECT_EQ(runtime.block_on(give(2)), 2) << "the first can be interrupted again";
  stop_first = true;
  EXPECT_TRUE(eventually([&] { return first.done(); }));
  EXPECT_TRUE(first.result());
}

TEST_F(attention_on_one_worker, comes_to_computations_eight_deep) {
  constexpr std::size_t depth = 8;
  std::atomic<std::size_t> begun{0};
  std::atomic<bool> stop{false};
  std::vector<magpie::task_handle<bool>> computations;
  for (std::size_t i = 0; i < depth; ++i) {
    computations.push_back(runtime.spawn(compute(stop, begun)));
    ASSERT_TRUE(eventually([&] { return begun == i + 1; })) << i;
  }
  EXPECT_EQ(runtime.block_on(give(1)), 1);
  stop = true;
  for (const auto& each : computations) {
    EXPECT_TRUE(eventually([&] { return each.done(); }));
    EXPECT_TRUE(each.result());
  }
}

// Each of many asks for attention while it computes; the stack does not hold them all.
TEST_F(attention_on_one_worker, does_not_pile_up_all_that_waits) {
  std::atomic<int> deepest{0};
  std::atomic<int> depth{0};
  std::atomic<int> ended{0};
  const auto long_one = [&]() -> magpie::task<> {
    const int mine = ++depth;
    if (mine > deepest) deepest = mine;
    const auto until = magpie::clock::now() + std::chrono::milliseconds(4);
    EXPECT_TRUE(eventually([&] {
      fibonacci(8);
      return magpie::clock::now() >= until && deepest > 1;
    })) << "none was interrupted";
    --depth;
    ++ended;
    co_return;
  };
  std::vector<magpie::task<>> bodies;
  for (int i = 0; i < 100; ++i) bodies.push_back(long_one());
  static_cast<void>(runtime.spawn_many(std::move(bodies)));
  EXPECT_TRUE(eventually([&] { return ended == 100; }));
  EXPECT_LE(deepest, 9);
}

}  // namespace
