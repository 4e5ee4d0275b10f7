#include <magpie/task_group.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/frame_statistics.hpp>
#include <magpie/magpie.hpp>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/grouping.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::task_group;
using magpie::with_task_group;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::scaled;
using magpie::test::sleep_long;

class task_groups : public magpie::test::grouping {};
MAGPIE_FOR_EACH_RUNTIME(task_groups);

class task_groups_with_threads : public task_groups {};
MAGPIE_FOR_EACH_WORKER_COUNT(task_groups_with_threads);

// Rule 59: left only when all have ended, those spawned by children included.

TEST_P(task_groups, are_left_when_all_children_are_done) {
  struct tree {
    static magpie::task<> grow(task_group& group, std::atomic<int>& ended, int levels) {
      if (levels != 0) {
        for (int i = 0; i < 3; ++i) group.spawn(grow(group, ended, levels - 1));
      }
      co_await magpie::yield();
      co_await magpie::sleep_for(50us);
      ++ended;
    }
  };
  std::atomic<int> ended{0};
  const auto run = [&]() -> magpie::task<> {
    magpie::task_handle<int> kept;
    const auto body = [&](task_group& group) -> magpie::task<> {
      group.spawn(tree::grow(group, ended, 4));
      kept = group.spawn(give(3), {.name = "three"});
      co_return;
    };
    co_await with_task_group(body);
    EXPECT_EQ(ended, 121);
    EXPECT_TRUE(kept.done());
    EXPECT_EQ(kept.result(), 3);
    EXPECT_EQ(kept.name(), "three");
  };
  runtime.block_on(run());
}

TEST_P(task_groups, give_what_the_body_gives) {
  int place = 1;
  const auto refer = [&](task_group&) -> magpie::task<int&> { co_return place; };
  const auto own = [](task_group& group) -> magpie::task<std::unique_ptr<int>> {
    const auto child = group.spawn(give(4));
    const int value = co_await child;
    co_return std::make_unique<int>(value);
  };
  const auto plain = [](task_group& group) {
    group.spawn(give(1));
    return give(5);
  };
  const auto run = [&]() -> magpie::task<> {
    int& referred = co_await with_task_group(refer);
    EXPECT_EQ(&referred, &place);
    const auto owned = co_await with_task_group(own);
    EXPECT_EQ(*owned, 4);
    const int five = co_await with_task_group(plain);
    EXPECT_EQ(five, 5);
  };
  runtime.block_on(run());
}

TEST_P(task_groups, leave_results_to_who_has_the_handle) {
  const auto own = [](int value) -> magpie::task<std::unique_ptr<int>> {
    co_await magpie::yield();
    co_return std::make_unique<int>(value);
  };
  const auto run = [&]() -> magpie::task<> {
    for (int i = 0; i < 200; ++i) {
      magpie::task_handle<std::unique_ptr<int>> later;
      const auto body = [&](task_group& group) -> magpie::task<> {
        later = group.spawn(own(i));
        auto now = group.spawn(own(i));
        while (!now.done()) co_await magpie::yield();
        const auto value = co_await std::move(now);
        EXPECT_EQ(*value, i);
      };
      co_await with_task_group(body);
      const auto value = co_await std::move(later);
      EXPECT_EQ(*value, i);
    }
  };
  runtime.block_on(run());
}

// Rule 1: its group is there before a child can run. Rule 67: a child that fails before spawn
// returns counts.

TEST_P(task_groups, count_a_child_that_ends_at_once) {
  for (int i = 0; i < 50; ++i) {
    const auto body = [](task_group& group) -> magpie::task<> {
      group.spawn(fail("at once"));
      co_return;
    };
    EXPECT_EQ(outcome_of(body), "1 error: at once");
  }
}

// Rule 66: spawn is refused when the group is ending, and the task's frame destroyed.

TEST_P(task_groups, refuse_children_while_they_end) {
  std::atomic<bool> began{false};
  const auto begin = [&](counted) -> magpie::task<> {
    began = true;
    co_return;
  };
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.cancel();
    EXPECT_THROW(group.spawn(begin(counted())), magpie::invalid_state);
    EXPECT_EQ(counted::alive(), 0);
    magpie::task<> moved = begin(counted());
    magpie::task<> other = std::move(moved);
    EXPECT_THROW(group.spawn(std::move(moved)), magpie::invalid_state);
    co_return;
  };
  EXPECT_EQ(outcome_of(body), "left");
  EXPECT_FALSE(began);
  const auto insist = [&](task_group& group) -> magpie::task<> {
    group.cancel();
    group.spawn(begin(counted()));
    co_return;
  };
  EXPECT_EQ(outcome_of(insist), "left") << "a refusal is no error of the group";
}

TEST_P(task_groups_with_threads, let_no_spawn_slip_past_the_last_join) {
  // Children that spawn each other until they are refused; all that were started have ended when
  // the group is left.
  struct swarm {
    static magpie::task<> live(task_group& group, std::atomic<int>& started,
                               std::atomic<int>& ended, counted) {
      for (int i = 0; i < 4; ++i) {
        group.spawn(live(group, started, ended, counted()));
        ++started;
        if (i == 2) co_await magpie::yield();
      }
      ++ended;
    }
  };
  for (std::size_t round = 0; round < scaled(2e3); ++round) {
    std::atomic<int> started{0};
    const auto run = [&]() -> magpie::task<> {
      std::atomic<int> ended{0};
      const auto body = [&](task_group& group) -> magpie::task<> {
        group.spawn(swarm::live(group, started, ended, counted()));
        while (started < 10) co_await magpie::yield();
        group.cancel();
      };
      co_await with_task_group(body);
      EXPECT_EQ(counted::alive(), 0);
    };
    runtime.block_on(run());
  }
}

TEST_P(task_groups_with_threads, take_children_from_any_thread) {
  std::atomic<int> ended{0};
  const auto count = [&]() -> magpie::task<> {
    ++ended;
    co_return;
  };
  std::vector<std::thread> threads;
  const auto body = [&](task_group& group) -> magpie::task<> {
    std::atomic<int> left{4};
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int spawned = 0; spawned < 500; ++spawned) group.spawn(count());
        --left;
      });
    }
    while (left != 0) co_await magpie::yield();
  };
  EXPECT_EQ(outcome_of(body), "left");
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(ended, 2000);
}

TEST_P(task_groups_with_threads, wait_for_a_cancel_from_another_thread_to_return) {
  for (std::size_t round = 0; round < scaled(5e3); ++round) {
    std::thread canceller;
    const auto body = [&](task_group& group) -> magpie::task<> {
      for (int i = 0; i < 5; ++i) group.spawn(sleep_long());
      canceller = std::thread([&group] { group.cancel(); });
      co_await magpie::sleep_for(1000h);
    };
    EXPECT_EQ(outcome_of(body), "left");
    canceller.join();
  }
}

// Rule 68: what has finished is released at once.

TEST_P(task_groups, do_not_grow_by_what_has_ended) {
  const auto body = [&](task_group& group) -> magpie::task<> {
    std::size_t blocks = 0;
    for (std::size_t i = 0; i < scaled(5e5); ++i) {
      const auto child = group.spawn(give(1));
      co_await child;
      if (i == 10) blocks = magpie::frame_statistics().live;
    }
    // A worker may be held up before it lets go of a child that has ended.
    EXPECT_TRUE(eventually([&] { return magpie::frame_statistics().live <= blocks + 2; }));
  };
  EXPECT_EQ(outcome_of(body), "left");
}

}  // namespace
