#include <magpie/barrier.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <memory>
#include <set>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::barrier;
using magpie::test::ends;

magpie::task<std::size_t> come(barrier& to) { co_return co_await to.wait(); }

class barriers : public magpie::test::cancelling {
 protected:
  std::vector<magpie::task_handle<std::size_t>> spawn_waiting(barrier& at, std::size_t count) {
    std::vector<magpie::task_handle<std::size_t>> handles;
    for (std::size_t i = 0; i < count; ++i) {
      handles.push_back(runtime.spawn(come(at)));
      EXPECT_TRUE(nothing_runs());
    }
    return handles;
  }

  template <class Handle>
  static bool was_broken(const Handle& ended) {
    try {
      static_cast<void>(ended.result());
    } catch (const magpie::broken_barrier&) {
      return true;
    }
    return false;
  }
};
MAGPIE_FOR_EACH_RUNTIME(barriers);

// Rule 81.
TEST_P(barriers, let_all_go_with_an_index_each) {
  barrier three(3);
  EXPECT_EQ(three.parties(), 3U);
  for (int round = 0; round < 4; ++round) {
    const auto handles = spawn_waiting(three, 2);
    EXPECT_EQ(three.count(), 2U);
    for (const auto& each : handles) EXPECT_FALSE(each.done());
    EXPECT_EQ(runtime.block_on(come(three)), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      ASSERT_TRUE(ends(handles[i]));
      EXPECT_EQ(handles[i].result(), i);
    }
    EXPECT_EQ(three.count(), 0U);
  }
}

// Rule 81.
TEST_P(barriers, are_used_again_and_again) {
  constexpr std::size_t parties = 5;
  barrier step(parties);
  std::vector<std::vector<std::size_t>> indices(100, std::vector<std::size_t>(parties));
  std::vector<int> written(parties);
  const auto walk = [&](std::size_t number) -> magpie::task<> {
    for (std::size_t round = 0; round < 100; ++round) {
      ++written[number];
      indices[round][number] = co_await step.wait();
      for (const int each : written) EXPECT_EQ(each, static_cast<int>(round) + 1);
      co_await step.wait();
    }
  };
  std::vector<magpie::task_handle<>> handles;
  for (std::size_t i = 0; i < parties; ++i) handles.push_back(runtime.spawn(walk(i)));
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  for (const auto& round : indices) {
    EXPECT_EQ(std::set<std::size_t>(round.begin(), round.end()),
              (std::set<std::size_t>{0, 1, 2, 3, 4}));
  }
}

// Rules 27 and 81.
TEST_P(barriers, who_is_cancelled_has_never_come) {
  barrier three(3);
  auto handles = spawn_waiting(three, 2);
  handles[0].cancel();
  ASSERT_TRUE(ends(handles[0]));
  EXPECT_TRUE(handles[0].cancelled());
  EXPECT_EQ(three.count(), 1U);
  const auto others = spawn_waiting(three, 1);
  EXPECT_FALSE(handles[1].done());
  EXPECT_EQ(runtime.block_on(come(three)), 2U);
  ASSERT_TRUE(ends(handles[1]) && ends(others[0]));
  EXPECT_EQ(handles[1].result(), 0U);
  EXPECT_EQ(others[0].result(), 1U);
}

// Rule 81.
TEST_P(barriers, break_when_they_are_aborted) {
  barrier three(3);
  const auto handles = spawn_waiting(three, 2);
  three.abort();
  for (const auto& each : handles) {
    ASSERT_TRUE(ends(each));
    EXPECT_TRUE(was_broken(each));
  }
  EXPECT_TRUE(three.is_broken());
  EXPECT_EQ(three.count(), 0U);
  EXPECT_THROW(runtime.block_on(come(three)), magpie::broken_barrier);
  three.reset();
  EXPECT_FALSE(three.is_broken());
  const auto again = spawn_waiting(three, 2);
  three.reset();
  for (const auto& each : again) {
    ASSERT_TRUE(ends(each));
    EXPECT_TRUE(was_broken(each));
  }
  const auto others = spawn_waiting(three, 2);
  EXPECT_EQ(runtime.block_on(come(three)), 2U);
  for (const auto& each : others) ASSERT_TRUE(ends(each));
}

TEST_P(barriers, of_one_do_not_suspend) {
  barrier alone(1);
  EXPECT_EQ(runtime.block_on(come(alone)), 0U);
  EXPECT_EQ(runtime.block_on(come(alone)), 0U);
}

TEST_P(barriers, a_time_limit_ends_a_wait) {
  barrier two(2);
  EXPECT_THROW(static_cast<void>(runtime.block_on(magpie::wait_for(two.wait(), 1ms))),
               magpie::timeout_error);
  EXPECT_EQ(two.count(), 0U);
  const auto handles = spawn_waiting(two, 1);
  EXPECT_EQ(handles[0].waiting_for(), "barrier");
  EXPECT_EQ(runtime.block_on(come(two)), 1U);
  ASSERT_TRUE(ends(handles[0]));
}

TEST_P(barriers, refuse_misuse) {
  EXPECT_THROW(barrier(0), magpie::invalid_state);
  barrier two(2);
  EXPECT_THROW(static_cast<void>(two.wait().await_ready()), magpie::invalid_state);
  EXPECT_EQ(two.count(), 0U);
}

TEST(barrier_death_test, destroyed_while_somebody_waits) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto destroy_too_early = [] {
    magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
    auto two = std::make_unique<barrier>(2);
    const auto handle = runtime.spawn(come(*two));
    runtime.run_until_idle();
    two.reset();
  };
  EXPECT_DEATH(destroy_too_early(), "nobody to wait for a barrier that is destroyed");
}

}  // namespace
