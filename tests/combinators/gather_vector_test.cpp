#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <magpie/detail/worker.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/gather.hpp>
#include <magpie/magpie.hpp>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::announced_seed;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::scaled;

class gather_vector : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(gather_vector);

class gather_vector_on_one_worker : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

class gather_vector_on_two_workers : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 2}};
};

// Around the run of 16 children, the halves of several runs, and far beyond.
constexpr std::size_t sizes[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 48, 49, 100, 1000, 100'000};

/// How a child goes about it.
enum class manner { ends_at_once, yields, sleeps };

manner any_manner(std::mt19937_64& random) {
  const auto drawn = random() % 8;
  return drawn < 5 ? manner::ends_at_once : drawn < 7 ? manner::yields : manner::sleeps;
}

/// What happened to the children of one gather.
class record {
 public:
  explicit record(std::size_t size) : starts_(size), ends_(size) {}
  record(const record&) = delete;
  record& operator=(const record&) = delete;

  [[nodiscard]] magpie::task<std::size_t> child(std::size_t index, manner how) {
    start(index);
    if (how == manner::yields) co_await magpie::yield();
    if (how == manner::sleeps) co_await magpie::sleep_for(0s);
    ++ends_[index];
    co_return index;
  }

  [[nodiscard]] magpie::task<std::size_t> failing_child(std::size_t index, manner how) {
    start(index);
    if (how == manner::yields) co_await magpie::yield();
    if (how == manner::sleeps) co_await magpie::sleep_for(0s);
    ++ends_[index];
    throw index;
  }

  [[nodiscard]] bool each_ran_once() const {
    const auto once = [](const std::atomic<int>& each) { return each.load() == 1; };
    return std::all_of(starts_.begin(), starts_.end(), once) &&
           std::all_of(ends_.begin(), ends_.end(), once);
  }

  [[nodiscard]] bool none_ran() const {
    return std::all_of(starts_.begin(), starts_.end(),
                       [](const std::atomic<int>& each) { return each.load() == 0; });
  }

  // The order in which they start; for one worker.
  void keep_order() { order_.emplace(); }
  [[nodiscard]] bool is_in_order() const { return std::is_sorted(order_->begin(), order_->end()); }

 private:
  void start(std::size_t index) {
    ++starts_[index];
    if (order_) order_->push_back(index);
  }

  std::deque<std::atomic<int>> starts_;
  std::deque<std::atomic<int>> ends_;
  std::optional<std::vector<std::size_t>> order_;
};

std::vector<std::size_t> first_numbers(std::size_t count) {
  std::vector<std::size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  return numbers;
}

template <class T>
magpie::task<std::vector<T>> gather_all(std::vector<magpie::task<T>> children) {
  auto results = co_await magpie::gather(std::move(children));
  co_return results;
}

TEST_P(gather_vector, of_any_size_runs_each_child_once) {
  std::mt19937_64 random(announced_seed());
  for (const std::size_t size : sizes) {
    for (const bool all_end_at_once : {true, false}) {
      record seen(size);
      if (GetParam() == 1) seen.keep_order();
      std::vector<magpie::task<std::size_t>> children;
      for (std::size_t i = 0; i < size; ++i) {
        children.push_back(
            seen.child(i, all_end_at_once ? manner::ends_at_once : any_manner(random)));
      }
      ASSERT_EQ(runtime.block_on(gather_all(std::move(children))), first_numbers(size));
      ASSERT_TRUE(seen.each_ran_once()) << size;
      if (GetParam() == 1) {
        ASSERT_TRUE(seen.is_in_order()) << size;
      }
    }
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

// Rule 32: all end, then the first failure in order of completion.

TEST_P(gather_vector, of_failing_children_runs_each_once_and_rethrows_one) {
  std::mt19937_64 random(announced_seed());
  for (std::size_t round = 0; round < scaled(1e4); ++round) {
    const std::size_t size = random() % 150;
    const std::uint64_t one_in = 1 + random() % 100;
    record seen(size);
    std::set<std::size_t> failing;
    std::vector<magpie::task<std::size_t>> children;
    for (std::size_t i = 0; i < size; ++i) {
      const bool fails = random() % one_in == 0;
      if (fails) failing.insert(i);
      const manner how = any_manner(random);
      children.push_back(fails ? seen.failing_child(i, how) : seen.child(i, how));
    }
    try {
      ASSERT_EQ(runtime.block_on(gather_all(std::move(children))), first_numbers(size));
      ASSERT_TRUE(failing.empty());
    } catch (std::size_t failed) {
      ASSERT_EQ(failing.count(failed), 1U) << failed << " of " << size;
    }
    ASSERT_TRUE(seen.each_ran_once()) << size;
  }
}

/// The child that fails first.
class first_failure {
 public:
  explicit first_failure(const magpie::runtime& home) : home_(home) {}
  first_failure(const first_failure&) = delete;
  first_failure& operator=(const first_failure&) = delete;

  magpie::task<int> child() {
    worker_ = magpie::detail::worker::here().index();
    turns_ = turns();
    is_about_to_fail_ = true;
    throw 1;
    co_return 0;
  }

  /// It has ended: its worker has done something else since.
  [[nodiscard]] bool is_over() const { return is_about_to_fail_ && turns() != turns_; }

 private:
  /// How often the worker has begun a job or gone to sleep.
  [[nodiscard]] std::uint64_t turns() const {
    const magpie::worker_statistics all = home_.statistics().workers[worker_];
    return all.jobs + all.parks + all.naps;
  }

  const magpie::runtime& home_;
  // Written by the child before it says that it is about to fail.
  std::size_t worker_ = 0;
  std::uint64_t turns_ = 0;
  std::atomic<bool> is_about_to_fail_{false};
};

magpie::task<int> fail_second(const first_failure& first) {
  while (!first.is_over()) co_await magpie::sleep_for(100us);
  throw 2;
  co_return 0;
}

magpie::task<int> succeed() { co_return 0; }

TEST_P(gather_vector, rethrows_the_failure_that_came_first) {
  struct places {
    std::size_t size, first, second;
  };
  for (const places at : {places{2, 1, 0}, places{16, 15, 0}, places{17, 16, 0}, places{17, 0, 16},
                          places{33, 32, 16}, places{48, 20, 47}, places{48, 47, 1},
                          places{100, 0, 99}, places{100, 99, 0}, places{1000, 700, 3}}) {
    first_failure first(runtime);
    std::vector<magpie::task<int>> children;
    for (std::size_t i = 0; i < at.size; ++i) {
      children.push_back(i == at.first    ? first.child()
                         : i == at.second ? fail_second(first)
                                          : succeed());
    }
    try {
      runtime.block_on(gather_all(std::move(children)));
      ADD_FAILURE() << "nothing thrown";
    } catch (int thrown) {
      EXPECT_EQ(thrown, 1) << "places " << at.first << " and " << at.second << " of " << at.size;
    }
  }
}

TEST_F(gather_vector_on_one_worker, rethrows_the_first_of_many_in_order) {
  for (const std::size_t size : {1U, 16U, 17U, 40U, 100U}) {
    record seen(size);
    std::vector<magpie::task<std::size_t>> children;
    for (std::size_t i = 0; i < size; ++i) {
      children.push_back(i < size / 2 ? seen.child(i, manner::ends_at_once)
                                      : seen.failing_child(i, manner::ends_at_once));
    }
    try {
      runtime.block_on(gather_all(std::move(children)));
      ADD_FAILURE() << "nothing thrown";
    } catch (std::size_t failed) {
      EXPECT_EQ(failed, size / 2);
    }
    EXPECT_TRUE(seen.each_ran_once());
  }
}

TEST_P(gather_vector, destroys_children_and_results) {
  const auto hold = [](counted parameter) -> magpie::task<counted> {
    co_await magpie::yield();
    co_return parameter;
  };
  const auto hold_and_fail = [](counted parameter) -> magpie::task<counted> {
    co_await magpie::yield();
    throw parameter.value;
    co_return parameter;
  };
  for (const std::size_t size : {1U, 17U, 100U}) {
    for (const std::size_t failing : {size - 1, size}) {
      std::vector<magpie::task<counted>> children;
      for (std::size_t i = 0; i < size; ++i) {
        const counted parameter(static_cast<int>(i));
        children.push_back(i == failing ? hold_and_fail(parameter) : hold(parameter));
      }
      try {
        const auto results = runtime.block_on(gather_all(std::move(children)));
        EXPECT_EQ(results.size(), size);
        EXPECT_EQ(results.back().value, static_cast<int>(size) - 1);
      } catch (int failed) {
        EXPECT_EQ(failed, static_cast<int>(failing));
      }
      EXPECT_TRUE(eventually([] { return counted::alive() == 0; }));
    }
  }
}

TEST_P(gather_vector, with_an_empty_task_is_an_error_before_anything_starts) {
  record seen(40);
  std::vector<magpie::task<std::size_t>> children;
  for (std::size_t i = 0; i < 40; ++i) children.push_back(seen.child(i, manner::ends_at_once));
  const auto taken = std::move(children[17]);
  EXPECT_THROW(runtime.block_on(gather_all(std::move(children))), magpie::invalid_state);
  EXPECT_TRUE(seen.none_ran());
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

TEST_P(gather_vector, passes_failures_up_through_nested_vectors) {
  struct level {
    static magpie::task<int> below(int levels, std::atomic<int>& ended) {
      if (levels == 0) {
        co_await magpie::yield();
        ++ended;
        throw levels;
      }
      std::vector<magpie::task<int>> children;
      for (int i = 0; i < 18; ++i) children.push_back(below(levels - 1, ended));
      try {
        co_await magpie::gather(std::move(children));
      } catch (int thrown) {
        throw thrown + 1;
      }
      co_return 0;
    }
  };
  std::atomic<int> ended{0};
  try {
    runtime.block_on(level::below(3, ended));
    ADD_FAILURE() << "nothing thrown";
  } catch (int thrown) {
    EXPECT_EQ(thrown, 3);
  }
  EXPECT_EQ(ended, 18 * 18 * 18);
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

TEST(gather_vector_misuse, outside_of_a_task_is_an_error) {
  std::vector<magpie::task<int>> none;
  auto nothing = magpie::gather(std::move(none));
  EXPECT_THROW(static_cast<void>(nothing.await_ready()), magpie::invalid_state);
  std::vector<magpie::task<int>> one;
  one.push_back(succeed());
  auto awaiter = magpie::gather(std::move(one));
  EXPECT_THROW(static_cast<void>(awaiter.await_ready()), magpie::invalid_state);
}

}  // namespace
