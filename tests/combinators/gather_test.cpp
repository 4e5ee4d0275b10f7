#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <magpie/magpie.hpp>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/counted.hpp"
#include "support/random.hpp"
#include "support/worker_counts.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;

class gather : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(gather);

class gather_on_one_worker : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

class gather_on_two_workers : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 2}};
};

magpie::task<int> give(int value) { co_return value; }
magpie::task<int> give_late(int value, magpie::duration delay) {
  co_await magpie::sleep_for(delay);
  co_return value;
}
magpie::task<int> give_after_yields(int value, int yields) {
  for (int i = 0; i < yields; ++i) co_await magpie::yield();
  co_return value;
}
magpie::task<int> fail_after_yields(std::string what, int yields) {
  for (int i = 0; i < yields; ++i) co_await magpie::yield();
  throw std::runtime_error(what);
  co_return 0;
}

// Rule 30: results in the order of the arguments; nothing gathered is ready at once.

TEST_P(gather, gives_a_tuple_in_the_order_of_the_arguments) {
  const auto three = []() -> magpie::task<std::tuple<int, std::string, double>> {
    const auto word = []() -> magpie::task<std::string> {
      co_await magpie::yield();
      co_return "two";
    };
    const auto number = []() -> magpie::task<double> { co_return 3.0; };
    auto results = co_await magpie::gather(give_late(1, 2ms), word(), number());
    static_assert(std::is_same_v<decltype(results), std::tuple<int, std::string, double>>);
    co_return results;
  };
  EXPECT_EQ(runtime.block_on(three()), std::make_tuple(1, std::string("two"), 3.0));
}

TEST_P(gather, gives_a_vector_in_order_whatever_ends_first) {
  const auto many = []() -> magpie::task<std::vector<int>> {
    std::vector<magpie::task<int>> children;
    for (int i = 0; i < 20; ++i) children.push_back(give_late(i, (20 - i) * 300us));
    auto results = co_await magpie::gather(std::move(children));
    co_return results;
  };
  std::vector<int> expected(20);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(runtime.block_on(many()), expected);
}

TEST_P(gather, of_nothing_is_ready_at_once) {
  const auto empty = []() -> magpie::task<std::size_t> {
    const std::tuple<> none = co_await magpie::gather();
    static_cast<void>(none);
    std::vector<magpie::task<int>> no_tasks;
    const auto results = co_await magpie::gather(std::move(no_tasks));
    co_return results.size();
  };
  EXPECT_EQ(runtime.block_on(empty()), 0U);
}

TEST_P(gather, of_one_is_that_one) {
  const auto one = []() -> magpie::task<int> {
    const auto result = co_await magpie::gather(give(5));
    co_return std::get<0>(result);
  };
  EXPECT_EQ(runtime.block_on(one()), 5);
}

TEST_P(gather, takes_void_references_and_what_can_only_be_moved) {
  int object = 3;
  const auto mixed = [&object]() -> magpie::task<bool> {
    const auto nothing = []() -> magpie::task<> { co_return; };
    const auto refer = [](int& target) -> magpie::task<int&> { co_return target; };
    const auto make = []() -> magpie::task<std::unique_ptr<int>> {
      co_return std::make_unique<int>(4);
    };
    const auto results = co_await magpie::gather(nothing(), refer(object), make());
    static_assert(std::is_same_v<decltype(results),
                                 const std::tuple<std::monostate, int&, std::unique_ptr<int>>>);
    co_return &std::get<1>(results) == &object && *std::get<2>(results) == 4;
  };
  EXPECT_TRUE(runtime.block_on(mixed()));
}

TEST_P(gather, of_a_vector_of_references_or_of_void) {
  std::vector<int> objects{1, 2, 3};
  const auto both = [&objects]() -> magpie::task<int> {
    const auto refer = [](int& target) -> magpie::task<int&> { co_return target; };
    const auto bump = [](int& target) -> magpie::task<> {
      ++target;
      co_return;
    };
    std::vector<magpie::task<>> bumps;
    for (int& each : objects) bumps.push_back(bump(each));
    co_await magpie::gather(std::move(bumps));
    std::vector<magpie::task<int&>> references;
    for (int& each : objects) references.push_back(refer(each));
    const auto results = co_await magpie::gather(std::move(references));
    co_return &results[2].get() == &objects[2] ? objects[0] + objects[1] + objects[2] : -1;
  };
  EXPECT_EQ(runtime.block_on(both()), 9);
}

TEST_P(gather, runs_its_children_concurrently) {
  // Each child waits for the other one's step; run one after the other they would never end.
  const auto meet = []() -> magpie::task<int> {
    std::atomic<int> arrived{0};
    const auto wait_for_all = [&arrived]() -> magpie::task<int> {
      ++arrived;
      while (arrived < 3) co_await magpie::yield();
      co_return 1;
    };
    const auto [a, b, c] = co_await magpie::gather(wait_for_all(), wait_for_all(), wait_for_all());
    co_return a + b + c;
  };
  EXPECT_EQ(runtime.block_on(meet()), 3);
}

TEST_F(gather_on_two_workers, uses_the_other_workers) {
  // Both children block their worker until the other one runs too.
  const auto meet = []() -> magpie::task<> {
    std::atomic<int> arrived{0};
    const auto block = [&arrived]() -> magpie::task<> {
      ++arrived;
      while (arrived < 2) std::this_thread::yield();
      co_return;
    };
    co_await magpie::gather(block(), block());
  };
  runtime.block_on(meet());
}

// Rule 32: all end, then the first failure in order of completion; siblings are not cancelled.

/// Two failures, one of them after `yields`, and a child that outlasts both. What came out, and how
/// many children had ended by then.
magpie::task<std::string> fail_twice(int yields) {
  std::atomic<int> ended{0};
  const auto outlast = [&ended]() -> magpie::task<int> {
    co_await magpie::sleep_for(5ms);
    ++ended;
    co_return 1;
  };
  const auto fail = [&ended](std::string what, int yields_before) -> magpie::task<int> {
    for (int i = 0; i < yields_before; ++i) co_await magpie::yield();
    ++ended;
    throw std::runtime_error(what);
  };
  std::string thrown = "nothing";
  try {
    co_await magpie::gather(outlast(), fail("late", yields), fail("early", 0));
  } catch (const std::runtime_error& error) {
    thrown = error.what();
  }
  co_return thrown + " after " + std::to_string(ended.load());
}

TEST_P(gather, rethrows_a_failure_after_all_have_ended) {
  for (int yields = 0; yields < 10; ++yields) {
    const std::string seen = runtime.block_on(fail_twice(yields));
    EXPECT_TRUE(seen == "early after 3" || seen == "late after 3") << seen;
  }
}

TEST_F(gather_on_one_worker, rethrows_the_failure_that_came_first) {
  EXPECT_EQ(runtime.block_on(fail_twice(0)), "late after 3") << "in the order of the arguments";
  EXPECT_EQ(runtime.block_on(fail_twice(1)), "early after 3");
}

TEST_P(gather, of_a_vector_rethrows_too) {
  const auto failing = []() -> magpie::task<std::string> {
    std::vector<magpie::task<int>> children;
    for (int i = 0; i < 10; ++i) {
      children.push_back(i == 7 ? fail_after_yields("seven", 3) : give_after_yields(i, i));
    }
    try {
      co_await magpie::gather(std::move(children));
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing thrown";
  };
  EXPECT_EQ(runtime.block_on(failing()), "seven");
}

TEST_P(gather, destroys_children_and_results_of_a_failure) {
  const auto failing = []() -> magpie::task<> {
    const auto hold = [](counted parameter) -> magpie::task<counted> {
      co_await magpie::yield();
      co_return parameter;
    };
    const auto fail = [](counted parameter) -> magpie::task<counted> {
      co_await magpie::yield();
      throw std::runtime_error(std::to_string(parameter.value));
    };
    co_await magpie::gather(hold(counted(1)), fail(counted(2)), hold(counted(3)));
  };
  EXPECT_THROW(runtime.block_on(failing()), std::runtime_error);
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(gather, of_an_empty_task_is_an_error_before_anything_starts) {
  const auto misuse = []() -> magpie::task<bool> {
    auto lazy = give(1);
    auto owner = std::move(lazy);
    bool started = false;
    const auto note = [&started]() -> magpie::task<> {
      started = true;
      co_return;
    };
    try {
      co_await magpie::gather(note(), std::move(lazy));  // NOLINT(bugprone-use-after-move)
    } catch (const magpie::invalid_state&) {
      co_return !started;
    }
    co_return false;
  };
  EXPECT_TRUE(runtime.block_on(misuse()));
}

// The children belong to the awaiting task.

TEST_P(gather, runs_children_as_part_of_the_awaiting_task) {
  const auto outer = []() -> magpie::task<bool> {
    const auto same = [](magpie::any_task_handle parent) -> magpie::task<bool> {
      const bool before = magpie::current_task() == parent;
      co_await magpie::yield();
      co_return before&& magpie::current_task() == parent;
    };
    const auto self = magpie::current_task();
    std::vector<magpie::task<bool>> children;
    for (int i = 0; i < 100; ++i) children.push_back(same(self));
    const auto results = co_await magpie::gather(std::move(children));
    co_return std::all_of(results.begin(), results.end(), [](bool right) { return right; });
  };
  EXPECT_TRUE(runtime.block_on(outer()));
}

// Every shape, against the plain sum.

magpie::task<long> tree(unsigned depth, std::uint64_t seed) {
  std::minstd_rand random(static_cast<std::minstd_rand::result_type>(seed | 1));
  if (depth == 0 || random() % 8 == 0) {
    for (auto yields = random() % 3; yields > 0; --yields) co_await magpie::yield();
    if (random() % 16 == 0) co_await magpie::sleep_for(100us);
    co_return 1;
  }
  if (random() % 2 == 0) {
    // Drawn first: the order in which a call evaluates its arguments is free.
    const std::uint64_t left_seed = random();
    const std::uint64_t right_seed = random();
    const auto [left, right] =
        co_await magpie::gather(tree(depth - 1, left_seed), tree(depth - 1, right_seed));
    co_return left + right + 1;
  }
  std::vector<magpie::task<long>> children;
  for (auto count = random() % 9; count > 0; --count) {
    children.push_back(tree(depth - 1, random()));
  }
  const auto sums = co_await magpie::gather(std::move(children));
  co_return std::accumulate(sums.begin(), sums.end(), 1L);
}

long plain_tree(unsigned depth, std::uint64_t seed) {
  std::minstd_rand random(static_cast<std::minstd_rand::result_type>(seed | 1));
  if (depth == 0 || random() % 8 == 0) return 1;
  long sum = 1;
  auto count = random() % 2 == 0 ? 2 : random() % 9;
  std::vector<std::uint64_t> seeds;
  for (; count > 0; --count) seeds.push_back(random());
  for (const std::uint64_t each : seeds) sum += plain_tree(depth - 1, each);
  return sum;
}

TEST_P(gather, adds_up_random_trees) {
  std::mt19937_64 random(magpie::test::announced_seed());
  for (int i = 0; i < 40; ++i) {
    const std::uint64_t seed = random();
    EXPECT_EQ(runtime.block_on(tree(6, seed)), plain_tree(6, seed)) << "tree " << seed;
  }
}

magpie::task<long> fibonacci(int n) {
  if (n < 2) co_return n;
  const auto [a, b] = co_await magpie::gather(fibonacci(n - 1), fibonacci(n - 2));
  co_return a + b;
}

TEST_P(gather, computes_fibonacci) { EXPECT_EQ(runtime.block_on(fibonacci(22)), 17711); }

TEST_P(gather, of_a_long_vector) {
  const auto sum = []() -> magpie::task<long> {
    std::vector<magpie::task<int>> children;
    for (int i = 0; i < 100'000; ++i) {
      children.push_back(i % 1000 == 0 ? give_after_yields(i, 1) : give(i));
    }
    const auto results = co_await magpie::gather(std::move(children));
    long total = 0;
    for (int i = 0; i < 100'000; ++i) total += results[static_cast<std::size_t>(i)] == i ? 1 : 0;
    co_return total;
  };
  EXPECT_EQ(runtime.block_on(sum()), 100'000);
}

TEST(gather_misuse, outside_of_a_task_is_an_error) {
  auto awaiter = magpie::gather(give(1), give(2));
  EXPECT_FALSE(awaiter.await_ready());
  EXPECT_THROW(static_cast<void>(
                   awaiter.await_suspend(std::coroutine_handle<magpie::detail::promise<void>>())),
               magpie::invalid_state);
  auto nothing = magpie::gather();
  EXPECT_THROW(static_cast<void>(nothing.await_ready()), magpie::invalid_state);
}

}  // namespace
