#include "support/allocations.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <ranges>
#include <utility>
#include <vector>

// What the combinators take from the heap; coroutine frames come from their pool.

#if MAGPIE_TEST_COUNTS_ALLOCATIONS

namespace {

using namespace std::chrono_literals;
using magpie::test::allocations;

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

}  // namespace

#endif
