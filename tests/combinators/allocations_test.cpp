#include "support/allocations.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <magpie/frame_statistics.hpp>
#include <magpie/magpie.hpp>
#include <ranges>
#include <utility>
#include <vector>

#include "support/tasks.hpp"

// What the combinators take from the heap; coroutine frames come from their pool.

#if MAGPIE_TEST_COUNTS_ALLOCATIONS

namespace {

using namespace std::chrono_literals;
using magpie::test::allocations;
using magpie::test::sleep_long;

class allocations_of : public testing::Test {
 protected:
  /// What the second of two equal runs allocates: the first fills what is kept for further use.
  template <class Body>
  std::size_t count(Body body) {
    runtime.block_on(body());
    const std::size_t before = allocations.load();
    runtime.block_on(body());
    return allocations.load() - before;
  }

  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
};

TEST_F(allocations_of, a_semaphore_are_none) {
  magpie::semaphore two(2);
  const auto child = [&](std::size_t weight) -> magpie::task<> {
    for (int i = 0; i < 1000; ++i) {
      const magpie::permit held = co_await two.acquire(weight);
      co_await magpie::yield();
    }
  };
  const auto body = [&]() -> magpie::task<> {
    co_await magpie::gather(child(1), child(2), child(1));
  };
  EXPECT_LE(count(body), 10U) << "those of block_on";
}

TEST_F(allocations_of, a_rate_limiter_are_none) {
  magpie::rate_limiter calls(magpie::rate{1000, 1s, 2});
  const auto child = [&](std::size_t weight) -> magpie::task<> {
    for (int i = 0; i < 1000; ++i) co_await calls.acquire(weight);
  };
  const auto body = [&]() -> magpie::task<> {
    co_await magpie::gather(child(1), child(2), child(1));
  };
  EXPECT_LE(count(body), 10U) << "those of block_on";
}

TEST_F(allocations_of, a_limit_do_not_depend_on_how_many_tasks_there_are) {
  const auto child = [](int) -> magpie::task<> { co_await magpie::yield(); };
  const auto body = [&]() -> magpie::task<> {
    co_await magpie::map_concurrent(std::views::iota(0, 10'000), 10, child);
  };
  EXPECT_LE(count(body), 20U);
}

TEST_F(allocations_of, a_limit_with_results_are_those_of_the_results) {
  const auto child = [](int i) -> magpie::task<int> { co_return i; };
  const auto body = [&]() -> magpie::task<std::vector<int>> {
    auto results = co_await magpie::map_concurrent(std::views::iota(0, 10'000), 10, child);
    co_return results;
  };
  EXPECT_LE(count(body), 10'000U / 32);
}

TEST_F(allocations_of, retries_are_those_of_the_exceptions) {
  const auto body = [&]() -> magpie::task<> {
    int attempts = 0;
    const auto make = [&attempts]() -> magpie::task<> {
      if (++attempts < 1000) co_await magpie::sleep_for(1h);
    };
    co_await magpie::retry({.attempts = 1000, .timeout = 1ms}, make);
  };
  EXPECT_LE(count(body), 2010U) << "a timeout is an exception with a text";
}

TEST_F(allocations_of, a_batcher_are_those_of_its_batches) {
  const auto flush = [](std::vector<int> items) -> magpie::task<std::vector<int>> {
    co_return items;
  };
  magpie::batcher<int, int> same({.size = 100}, flush);
  const auto child = [&]() -> magpie::task<> {
    for (int i = 0; i < 100; ++i) co_await same.submit(i);
  };
  const auto body = [&]() -> magpie::task<> {
    std::vector<magpie::task<>> children;
    for (int i = 0; i < 100; ++i) children.push_back(child());
    co_await magpie::gather(std::move(children));
  };
  EXPECT_LE(count(body), 100U * 6) << "of 10,000 submissions in 100 batches";
}

/// What a combinator holds while all its children are suspended: blocks of the heap and of the
/// frame pool. A coroutine's frame is one block, a spawned task is two: its frame and its state.
class blocks_of : public testing::Test {
 protected:
  static std::size_t taken() { return allocations + magpie::frame_statistics().live; }

  template <class Make>
  static magpie::task<> await_made(const Make& make) {
    co_await make();
  }

  /// Counts the blocks of what `make()` returns to await.
  template <class Make>
  std::size_t count(const Make& make) {
    const auto blocks = [](const auto& body) -> magpie::task<std::size_t> {
      const std::size_t before = taken();
      const auto handle = magpie::spawn(await_made(body));
      co_await magpie::sleep_for(1h);
      const std::size_t after = taken();
      handle.cancel();
      const std::vector all(1, handle);
      co_await magpie::wait(all);
      co_return after - before;
    };
    const auto nothing = [] { return magpie::sleep_for(1000h); };
    const std::size_t of_task = runtime.block_on(blocks(nothing));
    static_cast<void>(runtime.block_on(blocks(make)));  // fills what is kept for further use
    return runtime.block_on(blocks(make)) - of_task;
  }

  static std::vector<magpie::task<>> tasks(std::size_t count) {
    std::vector<magpie::task<>> all;
    all.reserve(count);
    for (std::size_t i = 0; i < count; ++i) all.push_back(sleep_long());
    return all;
  }
  static std::vector<magpie::task_handle<>> handles(std::size_t count) {
    std::vector<magpie::task_handle<>> all;
    all.reserve(count);
    for (std::size_t i = 0; i < count; ++i) all.push_back(magpie::spawn(sleep_long()));
    return all;
  }

  static constexpr std::size_t many = 50;  // one block for all of them is in the pool
  // What the caller makes himself.
  static constexpr std::size_t many_tasks = many + 1;
  static constexpr std::size_t many_handles = 2 * many + 1;

  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
};

TEST_F(blocks_of, a_gather_are_one_besides_the_children) {
  EXPECT_EQ(count([] { return magpie::gather(sleep_long(), sleep_long()); }), 2U);
  EXPECT_EQ(count([] { return magpie::gather(tasks(many)); }), many_tasks + 1);
  EXPECT_EQ(count([] { return magpie::gather(magpie::return_exceptions, tasks(many)); }),
            many_tasks + 1);
  EXPECT_EQ(count([] { return magpie::gather(handles(many)); }), many_handles + 1);
}

TEST_F(blocks_of, a_wait_are_one_besides_the_tasks) {
  EXPECT_EQ(count([] { return magpie::wait(handles(many)); }), many_handles + 1);
  const auto take_next = [](auto stream) -> magpie::task<> {
    while (co_await stream.next()) {
    }
  };
  EXPECT_EQ(count([&] { return take_next(magpie::as_completed(handles(many))); }), many_handles + 2)
      << "one is the frame of take_next()";
}

TEST_F(blocks_of, a_race_are_one_besides_the_contenders) {
  EXPECT_EQ(count([] { return magpie::race(sleep_long(), sleep_long()); }), 2U);
  EXPECT_EQ(count([] { return magpie::race(tasks(many)); }), many_tasks + 1);
  EXPECT_EQ(count([] { return magpie::first_success(sleep_long(), sleep_long()); }), 2U);
  EXPECT_EQ(count([] { return magpie::first_success(tasks(many)); }), many_tasks + 1);
}

TEST_F(blocks_of, a_hedge_do_not_depend_on_how_many_attempts_there_may_be) {
  const auto hedge = [](std::size_t attempts) {
    return magpie::hedge({.delay = 1000h, .attempts = attempts}, sleep_long);
  };
  EXPECT_EQ(count([&] { return hedge(2); }), 7U);
  EXPECT_EQ(count([&] { return hedge(1'000'000); }), 7U);
}

TEST_F(blocks_of, a_task_group_are_few_besides_each_task) {
  const auto body = [](magpie::task_group& group) -> magpie::task<> {
    for (std::size_t i = 0; i < many; ++i) group.spawn(sleep_long());
    co_return;
  };
  EXPECT_EQ(count([&] { return magpie::with_task_group(body); }), 2 * many + 4 + 2);
}

TEST_F(blocks_of, a_limit_of_time_are_none_besides_the_child) {
  EXPECT_EQ(count([] { return magpie::wait_for(sleep_long(), 1000h); }), 1U);
  const auto body = [](magpie::timeout_scope&) { return sleep_long(); };
  EXPECT_EQ(count([&] { return magpie::with_timeout(1000h, body); }), 1U);
}

TEST_F(blocks_of, a_limit_of_tasks_are_one_for_each_that_runs) {
  EXPECT_EQ(count([] { return magpie::limit_concurrency(10, tasks(many)); }), many_tasks + 10 + 4);
  const auto sleep = [](int) { return sleep_long(); };
  EXPECT_EQ(count([&] { return magpie::map_concurrent(std::views::iota(0, 100), 10, sleep); }),
            2U * 10 + 4);
}

TEST_F(blocks_of, a_retry_are_those_of_one_attempt) {
  EXPECT_EQ(count([] { return magpie::retry({.attempts = 1000}, sleep_long); }), 2U);
}

}  // namespace

#endif
