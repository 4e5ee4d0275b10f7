#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/frame_statistics.hpp>
#include <magpie/gather.hpp>
#include <magpie/magpie.hpp>
#include <numeric>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "support/children.hpp"
#include "support/eventually.hpp"
#include "support/first_numbers.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::announced_seed;
using magpie::test::any_manner;
using magpie::test::eventually;
using magpie::test::first_numbers;
using magpie::test::gather_all;
using magpie::test::manner;
using magpie::test::record;
using magpie::test::scaled;

class gather_vector : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(gather_vector);

class gather_vector_on_two_workers : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 2}};
};

// Around the run of 16 children, the halves of several runs, and far beyond.
constexpr std::size_t sizes[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 48, 49, 100, 1000, 100'000};

TEST_P(gather_vector, of_any_size_runs_each_child_once) {
  std::mt19937_64 random(announced_seed());
  for (const std::size_t size : sizes) {
    for (const bool all_end_at_once : {true, false}) {
      record seen(size);
      std::vector<magpie::task<std::size_t>> children;
      for (std::size_t i = 0; i < size; ++i) {
        children.push_back(
            seen.child(i, all_end_at_once ? manner::ends_at_once : any_manner(random)));
      }
      ASSERT_EQ(runtime.block_on(gather_all(std::move(children))), first_numbers(size));
      ASSERT_TRUE(seen.each_ran_once()) << size;
    }
  }
}

// A worker that has computed for a millisecond runs waiting jobs at a fork, even if it is the only
// one. So the order holds without workers alone.
TEST(gather_vector_without_workers, starts_the_children_in_order) {
  magpie::runtime runtime{{.workers = 0}};
  std::mt19937_64 random(announced_seed());
  for (const std::size_t size : sizes) {
    record seen(size);
    seen.keep_order();
    std::vector<magpie::task<std::size_t>> children;
    for (std::size_t i = 0; i < size; ++i) children.push_back(seen.child(i, any_manner(random)));
    ASSERT_EQ(runtime.block_on(gather_all(std::move(children))), first_numbers(size));
    ASSERT_TRUE(seen.each_ran_once()) << size;
    ASSERT_TRUE(seen.is_in_order()) << size;
  }
}

TEST_P(gather_vector, of_every_small_size) {
  std::mt19937_64 random(announced_seed());
  for (std::size_t size = 0; size <= 130; ++size) {
    record seen(size);
    std::vector<magpie::task<std::size_t>> children;
    for (std::size_t i = 0; i < size; ++i) children.push_back(seen.child(i, any_manner(random)));
    ASSERT_EQ(runtime.block_on(gather_all(std::move(children))), first_numbers(size));
    ASSERT_TRUE(seen.each_ran_once()) << size;
  }
}

// Nesting.

magpie::task<std::size_t> count_leaves(unsigned levels, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  if (random() % 4 == 0) co_await magpie::yield();
  if (levels == 0) co_return std::size_t{1};
  std::vector<magpie::task<std::size_t>> children;
  for (int i = 0; i < 20; ++i) children.push_back(count_leaves(levels - 1, random()));
  const auto counts = co_await magpie::gather(std::move(children));
  if (random() % 4 == 0) co_await magpie::yield();
  co_return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
}

TEST_P(gather_vector, nests) {
  std::mt19937_64 random(announced_seed());
  for (std::size_t i = 0; i < scaled(500); ++i) {
    ASSERT_EQ(runtime.block_on(count_leaves(3, random())), 8000U);
  }
}

// Stealing.

TEST_F(gather_vector_on_two_workers, is_stolen_in_halves) {
  constexpr std::size_t size = 1024;
  std::vector<std::thread::id> called_by(size);
  const auto coarse = [&called_by](std::size_t index) -> magpie::task<std::size_t> {
    called_by[index] = std::this_thread::get_id();
    const auto end = std::chrono::steady_clock::now() + 50us;
    while (std::chrono::steady_clock::now() < end) {
    }
    co_return index;
  };
  const auto steals = [this] {
    std::uint64_t sum = 0;
    for (const auto& each : runtime.statistics().workers) sum += each.steals;
    return sum;
  };
  // About as many as one number can be halved; one by one it would be hundreds, and a dozen when
  // each takes what is behind a run. A round counts in which both have their share, for other
  // programs may get in between.
  EXPECT_TRUE(eventually([&] {
    const auto before = steals();
    std::vector<magpie::task<std::size_t>> children;
    for (std::size_t i = 0; i < size; ++i) children.push_back(coarse(i));
    EXPECT_EQ(runtime.block_on(gather_all(std::move(children))), first_numbers(size));
    const auto share =
        static_cast<std::size_t>(std::count(called_by.begin(), called_by.end(), called_by.front()));
    return std::min(share, size - share) >= size / 4 && steals() - before < 8;
  }));
}

TEST_P(gather_vector, returns_all_frames) {
  const auto before = magpie::frame_statistics().live;
  std::atomic<bool> go_on{false};
  std::atomic<std::size_t> waiting{0};
  const auto wait = [&]() -> magpie::task<> {
    ++waiting;
    while (!go_on) co_await magpie::sleep_for(1ms);
  };
  const auto gather_many = [&]() -> magpie::task<> {
    std::vector<magpie::task<>> children;
    for (int i = 0; i < 1000; ++i) children.push_back(wait());
    co_await magpie::gather(std::move(children));
  };
  {
    const auto handle = runtime.spawn(gather_many());
    EXPECT_TRUE(eventually([&] { return waiting == 1000; }));
    EXPECT_GE(magpie::frame_statistics().live, before + 1001);
    go_on = true;
    EXPECT_TRUE(eventually([&] { return handle.done(); }));
  }
  EXPECT_TRUE(eventually([&] { return magpie::frame_statistics().live == before; }));
}

}  // namespace
