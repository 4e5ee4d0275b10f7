#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/magpie.hpp>
#include <magpie/parallel_invoke.hpp>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// gather and parallel_invoke on the same workers.

namespace {

using namespace std::chrono_literals;
using magpie::test::announced_seed;
using magpie::test::eventually;
using magpie::test::scaled;

class mixed_forks : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(mixed_forks);

/// A plain function: the sum of 1 to `count`, also seeing to it that it runs in the right task.
std::size_t sum_of(std::size_t count, const magpie::any_task_handle& self) {
  if (magpie::current_task() != self) throw std::logic_error("in another task");
  if (count <= 1) return count;
  const std::size_t half = count / 2;
  const auto [lower, upper] =
      magpie::parallel_invoke([&] { return sum_of(half, self); },
                              [&] { return sum_of(count - half, self) + (count - half) * half; });
  if (magpie::current_task() != self) throw std::logic_error("in another task after the wait");
  return lower + upper;
}

/// A task of both kinds of forks: how many leaves there are, each of which has added up right.
magpie::task<std::size_t> tree(unsigned levels, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  if (random() % 8 == 0) co_await magpie::yield();
  if (random() % 64 == 0) co_await magpie::sleep_for(0s);
  const std::size_t count = random() % 200;
  const bool is_right = sum_of(count, magpie::current_task()) == count * (count + 1) / 2;
  if (!is_right) throw std::logic_error("added up wrongly");
  if (levels == 0) co_return std::size_t{1};
  std::vector<magpie::task<std::size_t>> children;
  for (int i = 0; i < 3; ++i) children.push_back(tree(levels - 1, random()));
  auto last = tree(levels - 1, random());
  const auto most = [](std::vector<magpie::task<std::size_t>> tasks) -> magpie::task<std::size_t> {
    const auto counts = co_await magpie::gather(std::move(tasks));
    co_return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
  };
  const auto [first_counts, last_count] =
      co_await magpie::gather(most(std::move(children)), std::move(last));
  co_return first_counts + last_count;
}

TEST_P(mixed_forks, in_one_tree) {
  std::mt19937_64 random(announced_seed());
  for (std::size_t i = 0; i < scaled(1000); ++i) {
    ASSERT_EQ(runtime.block_on(tree(4, random())), 256U);
  }
}

TEST_P(mixed_forks, in_many_tasks_at_once) {
  std::mt19937_64 random(announced_seed());
  std::vector<magpie::task_handle<std::size_t>> handles;
  for (std::size_t i = 0; i < scaled(2000); ++i) {
    handles.push_back(runtime.spawn(tree(3, random())));
  }
  for (const auto& each : handles) {
    ASSERT_TRUE(eventually([&] { return each.done(); }));
    EXPECT_EQ(each.result(), 64U);
  }
}

TEST(mixed_forks_stress, in_many_runtimes_at_once) {
  const std::uint64_t seed = announced_seed();
  std::atomic<std::size_t> right{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&right, seed, i] {
      for (std::size_t round = 0; round < 10; ++round) {
        magpie::runtime own{{.workers = 1 + i}};
        right += own.block_on(tree(3, seed + i + round)) == 64 ? 1 : 0;
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(right, 40U);
}

}  // namespace
