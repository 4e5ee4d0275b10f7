#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::batch;
using magpie::test::ends;
using magpie::test::eventually;

class batches : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(batches);

// Rule 75.
TEST_P(batches, come_in_order_and_are_no_larger_than_asked) {
  for (const int size : {0, 1, 9, 10, 11, 100}) {
    std::atomic<int> ended{0};
    const auto child = [&](int number) -> magpie::task<int> {
      // All of the batches before have ended, and at most those of this one.
      EXPECT_GE(ended, number / 10 * 10);
      EXPECT_LT(ended, number / 10 * 10 + 10);
      for (int i = 0; i < number % 4; ++i) co_await magpie::yield();
      ++ended;
      co_return number * 2;
    };
    const auto results = runtime.block_on(batch(std::views::iota(0, size), {.size = 10}, child));
    ASSERT_EQ(results.size(), static_cast<std::size_t>(size));
    for (int i = 0; i < size; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], 2 * i);
  }
}

// Rule 75: the pause between batches and not after the last; empty input gives empty output.
TEST_P(batches, pause_in_between) {
  if (!is_virtual()) GTEST_SKIP() << "looks at exact times";
  const auto child = [](int number) -> magpie::task<> { co_await magpie::sleep_for(1s * number); };
  const auto begin = runtime.now();
  const std::vector<int> items{1, 5, 2, 3, 1};
  runtime.block_on(batch(items, {.size = 2, .pause = 100s}, child));
  EXPECT_EQ(runtime.now() - begin, 5s + 100s + 3s + 100s + 1s);
  runtime.block_on(batch(std::vector<int>(), {.size = 2, .pause = 100s}, child));
  runtime.block_on(batch(std::vector<int>(2), {.size = 2, .pause = 100s}, child));
  EXPECT_EQ(runtime.now() - begin, 209s);
}

TEST_P(batches, of_items_that_are_kept_and_results_of_every_kind) {
  const auto length = [](const std::string& item) -> magpie::task<std::unique_ptr<std::size_t>> {
    co_await magpie::yield();
    co_return std::make_unique<std::size_t>(item.size());
  };
  auto made = std::views::iota(1, 8) | std::views::transform([](int i) {
                return std::string(static_cast<std::size_t>(i) * 10, 'x');
              });
  const auto results = runtime.block_on(batch(made, {.size = 3}, length));
  ASSERT_EQ(results.size(), 7U);
  EXPECT_EQ(*results[6], 70U);
  std::vector<std::unique_ptr<int>> owned;
  for (int i = 0; i < 5; ++i) owned.push_back(std::make_unique<int>(i));
  const auto refer = [](std::unique_ptr<int>& item) -> magpie::task<int&> { co_return *item; };
  const auto references = runtime.block_on(batch(owned, {.size = 2}, refer));
  EXPECT_EQ(&references[4].get(), owned[4].get());
}

TEST_P(batches, a_failure_ends_its_batch_and_begins_no_other) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  const auto child = [&](int number) -> magpie::task<> {
    ++begun;
    if (number == 5) throw std::runtime_error("five");
    co_await magpie::yield();
    ++ended;
  };
  EXPECT_THROW(runtime.block_on(batch(std::views::iota(0, 20), {.size = 4}, child)),
               std::runtime_error);
  EXPECT_EQ(begun, 8);
  EXPECT_EQ(ended, 7);
  const auto bad = [&](int) -> magpie::task<> { throw std::runtime_error("no task"); };
  EXPECT_THROW(runtime.block_on(batch(std::views::iota(0, 20), {.size = 4}, bad)),
               std::runtime_error);
  EXPECT_THROW(runtime.block_on(batch(std::views::iota(0, 20), {.size = 0}, child)),
               magpie::invalid_state);
}

TEST_P(batches, a_cancel_ends_the_batch_or_the_pause) {
  std::atomic<int> begun{0};
  const auto child = [&](int number) -> magpie::task<> {
    ++begun;
    if (number >= 2) co_await magpie::sleep_for(1000h);
  };
  auto in_batch = runtime.spawn(batch(std::views::iota(0, 20), {.size = 2}, child));
  ASSERT_TRUE(eventually([&] { return begun == 4 || is_virtual(); }));
  ASSERT_TRUE(nothing_runs());
  in_batch.cancel();
  ASSERT_TRUE(ends(in_batch));
  EXPECT_TRUE(in_batch.cancelled());
  EXPECT_EQ(begun, 4);
  auto in_pause = runtime.spawn(batch(std::views::iota(0, 20), {.size = 2, .pause = 1000h}, child));
  ASSERT_TRUE(eventually([&] { return begun == 6 || is_virtual(); }));
  ASSERT_TRUE(nothing_runs());
  in_pause.cancel();
  ASSERT_TRUE(ends(in_pause));
  EXPECT_TRUE(in_pause.cancelled());
  EXPECT_EQ(begun, 6);
}

}  // namespace
