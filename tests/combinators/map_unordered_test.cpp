#include <magpie/map_unordered.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::map_unordered;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;

class unordered_maps : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(unordered_maps);

/// All that a stream gives.
template <class Stream>
magpie::task<std::vector<int>> drain(Stream& results) {
  std::vector<int> all;
  while (auto each = co_await results.next()) all.push_back(*each);
  const auto again = co_await results.next();
  EXPECT_FALSE(again);
  co_return all;
}

TEST_P(unordered_maps, give_each_result_once) {
  std::atomic<int> inside{0};
  const auto child = [&](int number) -> magpie::task<int> {
    EXPECT_LE(++inside, 4);
    for (int i = 0; i < number % 3; ++i) co_await magpie::yield();
    --inside;
    co_return number;
  };
  for (const int size : {0, 1, 3, 100}) {
    auto results = map_unordered(std::views::iota(0, size), 4, child);
    auto all = runtime.block_on(drain(results));
    std::sort(all.begin(), all.end());
    ASSERT_EQ(all.size(), static_cast<std::size_t>(size));
    for (int i = 0; i < size; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
  }
}

TEST_P(unordered_maps, give_them_as_they_come) {
  if (!is_virtual()) GTEST_SKIP() << "looks at exact times";
  const auto child = [](int number) -> magpie::task<int> {
    co_await magpie::sleep_for(1s * number);
    co_return number;
  };
  auto results = map_unordered(std::vector<int>{5, 1, 3, 1, 6}, 3, child);
  EXPECT_EQ(runtime.block_on(drain(results)), (std::vector<int>{1, 1, 3, 5, 6}));
}

TEST_P(unordered_maps, do_not_run_ahead_of_the_consumer) {
  std::atomic<int> begun{0};
  const auto child = [&](int number) -> magpie::task<int> {
    ++begun;
    co_return number;
  };
  auto results = map_unordered(std::views::iota(0), 3, child);  // without an end
  const auto body = [&]() -> magpie::task<> {
    for (int taken = 1; taken <= 50; ++taken) {
      const auto each = co_await results.next();
      EXPECT_TRUE(each);
      EXPECT_LE(begun, taken + 3);
    }
    co_await results.close();
  };
  runtime.block_on(body());
  EXPECT_TRUE(eventually([&] { return runtime.all_tasks().empty(); }));
}

TEST_P(unordered_maps, a_failure_cancels_what_runs_and_comes_last) {
  std::atomic<int> begun{0};
  std::atomic<int> told{0};
  const auto child = [&](int number) -> magpie::task<int> {
    ++begun;
    if (number < 5) co_return number;
    if (number == 5) {
      while (begun < 8) co_await magpie::yield();  // until the others are under way
      throw std::runtime_error("five");
    }
    co_await magpie::test::swallow();
    co_await magpie::yield();  // cleans up
    ++told;
    throw magpie::cancelled();
  };
  auto results = map_unordered(std::views::iota(0), 3, child);  // without an end
  int values = 0;
  const auto body = [&]() -> magpie::task<> {
    while (const auto each = co_await results.next()) ++values;
  };
  EXPECT_THROW(runtime.block_on(body()), std::runtime_error);
  EXPECT_EQ(told, 2) << "the others have ended by then";
  EXPECT_EQ(values, 5);
  EXPECT_EQ(begun, 8);
  EXPECT_EQ(runtime.block_on(results.next()), std::nullopt) << "the stream has ended";
}

TEST_P(unordered_maps, an_item_that_is_cancelled_by_itself_counts_as_failed) {
  const auto child = [](int) -> magpie::task<int> {
    throw magpie::cancelled("by itself");
    co_return 0;
  };
  auto results = map_unordered(std::views::iota(0, 20), 3, child);
  const auto body = [&]() -> magpie::task<std::string> {
    try {
      co_await results.next();
    } catch (const magpie::cancelled& stopped) {
      co_return stopped.reason();
    }
    co_return "(a result)";
  };
  EXPECT_EQ(runtime.block_on(body()), "by itself");
}

TEST_P(unordered_maps, what_the_range_throws_comes_last) {
  const auto bad = std::views::iota(0, 10) | std::views::transform([](int i) {
                     if (i == 5) throw std::runtime_error("five");
                     return i;
                   });
  const auto child = [](int number) -> magpie::task<int> { co_return number; };
  auto results = map_unordered(bad, 2, child);
  int values = 0;
  const auto body = [&]() -> magpie::task<> {
    while (const auto each = co_await results.next()) ++values;
  };
  EXPECT_THROW(runtime.block_on(body()), std::runtime_error);
  EXPECT_EQ(values, 5);
  EXPECT_EQ(runtime.block_on(results.next()), std::nullopt) << "the stream has ended";
  EXPECT_THROW(static_cast<void>(map_unordered(bad, 0, child)), magpie::invalid_state);
}

TEST_P(unordered_maps, destroyed_early_cancel_their_children) {
  struct kept {
    std::shared_ptr<std::atomic<int>> cancelled_children = std::make_shared<std::atomic<int>>(0);
    counted token;
  };
  kept shared;
  const auto child = [shared](int number) -> magpie::task<int> {
    if (number == 0) co_return 0;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      ++*shared.cancelled_children;
      throw;
    }
    co_return number;
  };
  const auto body = [&]() -> magpie::task<> {
    auto results = map_unordered(std::views::iota(0, 100), 3, child);
    const auto first = co_await results.next();
    EXPECT_EQ(first, 0);
  };
  runtime.block_on(body());
  EXPECT_TRUE(eventually([&] { return runtime.all_tasks().empty(); }));
  EXPECT_LE(*shared.cancelled_children, 3);
  EXPECT_TRUE(eventually([&] { return counted::alive() == 2; })) << "this and the lambda's";
}

TEST_P(unordered_maps, close_waits_for_the_children_though_it_is_cancelled) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  magpie::semaphore go_on(0);
  const auto child = [&](int) -> magpie::task<int> {
    ++begun;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
    }
    (co_await go_on.acquire()).detach();
    co_return ++ended;
  };
  const auto items = std::vector<int>(10);
  auto results = map_unordered(items, 2, child);
  std::atomic<bool> was_cancelled{false};
  const auto body = [&]() -> magpie::task<> {
    try {
      co_await results.next();
    } catch (const magpie::cancelled&) {
    }
    try {
      co_await results.close();
    } catch (const magpie::cancelled&) {
      was_cancelled = true;
      EXPECT_EQ(ended, 2);
      throw;
    }
  };
  auto handle = runtime.spawn(body());
  ASSERT_TRUE(eventually([&] { return begun == 2 || is_virtual(); }));
  ASSERT_TRUE(nothing_runs());
  handle.cancel();
  ASSERT_TRUE(nothing_runs());
  EXPECT_FALSE(handle.done());
  handle.cancel();
  ASSERT_TRUE(nothing_runs());
  EXPECT_FALSE(handle.done());
  go_on.release(2);
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(was_cancelled);
  EXPECT_EQ(begun, 2);
}

TEST_P(unordered_maps, of_void_and_of_references) {
  int places[3] = {};
  const auto refer = [&](int i) -> magpie::task<int&> { co_return places[i]; };
  const auto touch = [&](int i) -> magpie::task<> {
    ++places[i];
    co_return;
  };
  const auto body = [&]() -> magpie::task<> {
    auto references = map_unordered(std::views::iota(0, 3), 2, refer);
    while (auto each = co_await references.next()) each->get() += 10;
    auto nothing = map_unordered(std::views::iota(0, 3), 2, touch);
    int count = 0;
    while (const auto each = co_await nothing.next()) ++count;
    EXPECT_EQ(count, 3);
  };
  runtime.block_on(body());
  for (const int each : places) EXPECT_EQ(each, 11);
}

}  // namespace
