#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <magpie/magpie.hpp>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/first_numbers.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::limit_concurrency;
using magpie::map_concurrent;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::first_numbers;

class concurrency_limits : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(concurrency_limits);

/// Counts how many run at once.
struct crowd {
  std::atomic<std::size_t> inside{0};
  std::atomic<std::size_t> most{0};
  std::atomic<std::size_t> begun{0};

  magpie::task<std::size_t> visit(std::size_t number, std::size_t yields) {
    ++begun;
    const std::size_t now = ++inside;
    std::size_t seen = most.load();
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    for (std::size_t i = 0; i < yields; ++i) co_await magpie::yield();
    --inside;
    co_return number;
  }
};

// Rule 73.
TEST_P(concurrency_limits, never_more_at_once_and_results_in_order) {
  for (const std::size_t limit : {std::size_t{1}, std::size_t{3}, std::size_t{200}}) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100}}) {
      const auto are_several_at_once = [&] {
        crowd seen;
        std::vector<magpie::task<std::size_t>> tasks;
        for (std::size_t i = 0; i < size; ++i) tasks.push_back(seen.visit(i, 1 + i % 3));
        EXPECT_EQ(runtime.block_on(limit_concurrency(limit, std::move(tasks))),
                  first_numbers(size));
        EXPECT_EQ(seen.begun, size);
        EXPECT_LE(seen.most, limit);
        return seen.most >= std::min({limit, size, std::size_t{2}});
      };
      // One worker may do all while the others are held up, but not each time.
      EXPECT_TRUE(is_virtual() ? are_several_at_once() : eventually(are_several_at_once));
    }
  }
}

// Rule 94: the range is walked without a lock, for which another runner would block its worker.
TEST(walking_a_range, keeps_no_worker_from_other_work) {
  magpie::runtime runtime({.workers = 2});
  std::atomic<int> others{0};
  const auto count = [&others]() -> magpie::task<> {
    ++others;
    co_return;
  };
  const auto make = [&](std::size_t number) {
    if (number == 3) {
      for (int i = 0; i < 5; ++i) magpie::spawn(count());
      // Only the other worker can run them.
      EXPECT_TRUE(eventually([&] { return others == 5; }));
    }
    return magpie::test::give_after(1us, 1);
  };
  const auto numbers = std::views::iota(std::size_t{0}, std::size_t{10});
  EXPECT_EQ(runtime.block_on(map_concurrent(numbers, 4, make)).size(), 10U);
}

// Rule 73: the next is started as soon as one ends.
TEST_P(concurrency_limits, start_the_next_as_soon_as_one_ends) {
  if (!is_virtual()) GTEST_SKIP() << "looks at exact times";
  std::vector<magpie::duration> starts;
  const auto begin = runtime.now();
  const auto last = [&](magpie::duration delay) -> magpie::task<> {
    starts.push_back(magpie::now() - begin);
    co_await magpie::sleep_for(delay);
  };
  std::vector<magpie::task<>> tasks;
  for (const auto delay : {3s, 1s, 1s, 4s, 1s}) tasks.push_back(last(delay));
  runtime.block_on(limit_concurrency(2, std::move(tasks)));
  EXPECT_EQ(starts, (std::vector<magpie::duration>{0s, 0s, 1s, 2s, 3s}));
  EXPECT_EQ(runtime.now() - begin, 6s);
}

TEST_P(concurrency_limits, tasks_that_are_made_on_the_way) {
  crowd seen;
  std::size_t made = 0;  // under the lock
  auto lazily = std::views::iota(std::size_t{0}, std::size_t{100}) |
                std::views::transform([&](std::size_t i) {
                  EXPECT_LE(++made, seen.begun + 5) << "no earlier than needed";
                  return seen.visit(i, 2);
                });
  EXPECT_EQ(runtime.block_on(limit_concurrency(5, std::move(lazily))), first_numbers(100));
  EXPECT_LE(seen.most, 5U);
}

TEST_P(concurrency_limits, a_range_that_does_not_know_its_size) {
  crowd seen;
  auto some = std::views::iota(std::size_t{0}) |
              std::views::take_while([](std::size_t i) { return i < 20; }) |
              std::views::transform([&](std::size_t i) { return seen.visit(i, 1); });
  EXPECT_EQ(runtime.block_on(limit_concurrency(4, some)), first_numbers(20));
  EXPECT_LE(seen.most, 4U);
}

TEST_P(concurrency_limits, results_of_every_kind) {
  int places[3] = {};
  const auto refer = [&](int i) -> magpie::task<int&> { co_return places[i]; };
  const auto make = [](int i) -> magpie::task<std::unique_ptr<int>> {
    co_await magpie::yield();
    co_return std::make_unique<int>(i);
  };
  const auto say = [](bool what) -> magpie::task<bool> { co_return what; };
  const auto count = [&](int i) -> magpie::task<> {
    ++places[i];
    co_return;
  };
  const std::vector<int> numbers{0, 1, 2};
  const auto references = runtime.block_on(map_concurrent(numbers, 2, refer));
  EXPECT_EQ(&references[2].get(), &places[2]);
  const auto owned = runtime.block_on(map_concurrent(numbers, 2, make));
  EXPECT_EQ(*owned[1], 1);
  std::vector<magpie::task<bool>> flags;
  flags.push_back(say(true));
  flags.push_back(say(false));
  EXPECT_EQ(runtime.block_on(limit_concurrency(1, std::move(flags))),
            (std::vector<bool>{true, false}));
  runtime.block_on(map_concurrent(numbers, 2, count));
  EXPECT_EQ(places[0] + places[1] + places[2], 3);
}

TEST_P(concurrency_limits, a_failure_starts_no_others_and_waits_for_those_that_run) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  std::atomic<bool> has_failed{false};
  const auto child = [&](int number) -> magpie::task<int> {
    ++begun;
    if (number == 1) {
      while (begun < 3) co_await magpie::yield();
      has_failed = true;
      throw std::runtime_error("one");
    }
    while (!has_failed) co_await magpie::yield();
    for (int i = 0; i < 20; ++i) co_await magpie::yield();
    ++ended;
    if (number == 2) throw std::runtime_error("two");
    co_return number;
  };
  std::string caught;
  try {
    runtime.block_on(map_concurrent(std::views::iota(0, 1000), 3, child));
  } catch (const std::runtime_error& failure) {
    caught = failure.what();
  }
  EXPECT_EQ(ended, begun - 1);
  if (is_virtual() || GetParam() == 1) {
    EXPECT_EQ(caught, "one");
    EXPECT_EQ(begun, 3);
  } else {
    EXPECT_TRUE(caught == "one" || caught == "two") << caught;  // whose throw is seen first
  }
}

TEST_P(concurrency_limits, what_the_range_or_the_function_throws_is_a_failure) {
  const auto bad_range = std::views::iota(0, 10) | std::views::transform([](int i) {
                           if (i == 5) throw std::runtime_error("no task");
                           return magpie::test::give_after_yields(i, 1);
                         });
  EXPECT_THROW(runtime.block_on(limit_concurrency(2, bad_range)), std::runtime_error);
  const auto bad_function = [](int i) {
    if (i == 5) throw std::runtime_error("no task");
    return magpie::test::give_after_yields(i, 1);
  };
  EXPECT_THROW(runtime.block_on(map_concurrent(std::views::iota(0, 10), 2, bad_function)),
               std::runtime_error);
  EXPECT_THROW(runtime.block_on(limit_concurrency(0, bad_range)), magpie::invalid_state);
}

TEST_P(concurrency_limits, a_cancel_ends_those_that_run_and_starts_no_others) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  const auto child = [&](int) -> magpie::task<> {
    ++begun;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
    }
    co_await magpie::yield();
    ++ended;  // as if nothing had happened
  };
  auto handle = runtime.spawn(map_concurrent(std::views::iota(0, 100), 3, child));
  ASSERT_TRUE(eventually([&] { return begun == 3; }));
  ASSERT_TRUE(nothing_runs());
  handle.cancel("enough");
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(magpie::test::reason_of(handle), "enough");
  EXPECT_EQ(begun, 3);
  EXPECT_EQ(ended, 3);
}

TEST_P(concurrency_limits, within_what_cleans_up_after_a_cancel) {
  std::vector<std::size_t> one;
  std::vector<std::size_t> other;
  crowd seen;
  const auto body = [&](std::vector<std::size_t>& results) -> magpie::task<> {
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
    }
    const auto visit = [&](std::size_t i) { return seen.visit(i, 1); };
    results = co_await map_concurrent(std::views::iota(std::size_t{0}, std::size_t{50}), 4, visit);
  };
  // A child of a gather, which has been asked to end as a whole.
  const auto outer = [&]() -> magpie::task<> { co_await magpie::gather(body(one), body(other)); };
  auto handle = runtime.spawn(outer());
  ASSERT_TRUE(nothing_runs());
  handle.cancel();
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(one, first_numbers(50));
  EXPECT_EQ(other, first_numbers(50));
  EXPECT_EQ(seen.begun, 100U);
}

TEST_P(concurrency_limits, everything_is_destroyed) {
  const auto child = [](counted& item) -> magpie::task<counted> {
    co_await magpie::yield();
    if (item.value == 20) throw std::runtime_error("twenty");
    co_return counted(item.value);
  };
  const auto body = [&]() -> magpie::task<> {
    std::vector<counted> items;
    for (int i = 0; i < 40; ++i) items.emplace_back(i);
    auto mapping = map_concurrent(std::move(items), 4, child);
    co_await std::move(mapping);
  };
  EXPECT_THROW(runtime.block_on(body()), std::runtime_error);
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(concurrency_limits, tasks_that_do_not_suspend) {
  const auto child = [](std::size_t i) -> magpie::task<std::size_t> { co_return i; };
  EXPECT_EQ(runtime.block_on(
                map_concurrent(std::views::iota(std::size_t{0}, std::size_t{100'000}), 10, child)),
            first_numbers(100'000));
}

}  // namespace
