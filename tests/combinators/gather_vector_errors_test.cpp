#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/worker.hpp>
#include <magpie/gather.hpp>
#include <magpie/magpie.hpp>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "support/children.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/first_numbers.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// A gather of a vector whose children fail, and its misuse.

namespace {

using namespace std::chrono_literals;
using magpie::test::announced_seed;
using magpie::test::any_manner;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::first_numbers;
using magpie::test::gather_all;
using magpie::test::manner;
using magpie::test::record;
using magpie::test::scaled;

class failing_gather_vector : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(failing_gather_vector);

class gather_vector_on_one_worker : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

// Rule 32: all end, then the first failure in order of completion.

TEST_P(failing_gather_vector, of_failing_children_runs_each_once_and_rethrows_one) {
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

TEST_P(failing_gather_vector, rethrows_the_failure_that_came_first) {
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

TEST_P(failing_gather_vector, destroys_children_and_results) {
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

TEST_P(failing_gather_vector, with_an_empty_task_is_an_error_before_anything_starts) {
  record seen(40);
  std::vector<magpie::task<std::size_t>> children;
  for (std::size_t i = 0; i < 40; ++i) children.push_back(seen.child(i, manner::ends_at_once));
  const auto taken = std::move(children[17]);
  EXPECT_THROW(runtime.block_on(gather_all(std::move(children))), magpie::invalid_state);
  EXPECT_TRUE(seen.none_ran());
}

TEST_P(failing_gather_vector, passes_failures_up_through_nested_vectors) {
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
