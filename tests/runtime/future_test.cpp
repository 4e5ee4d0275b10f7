#include <magpie/future.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/reports.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_when;
using magpie::test::sleep_and_give;

class as_future : public magpie::test::reporting {};
MAGPIE_FOR_EACH_WORKER_COUNT(as_future);

magpie::task<std::unique_ptr<int>> own_when(std::atomic<bool>& open, int value) {
  while (!open) co_await magpie::yield();
  co_return std::make_unique<int>(value);
}

magpie::task<int&> refer(int& place) { co_return place; }

magpie::task<> add(int& sum, int value) {
  co_await magpie::yield();
  sum += value;
}

// Rule 87: a std::future for code that wants one.
TEST_P(as_future, gives_the_result_whatever_its_kind) {
  int place = 1;
  std::future<int&> referred = runtime.spawn(refer(place)).as_future();
  EXPECT_EQ(&referred.get(), &place);
  std::future<void> nothing = runtime.spawn(add(place, 2)).as_future();
  nothing.get();
  EXPECT_EQ(place, 3);
  std::atomic<bool> open{false};
  auto value = runtime.spawn(give_when(open, 4)).as_future();
  EXPECT_EQ(value.wait_for(0s), std::future_status::timeout);
  open = true;
  EXPECT_EQ(value.get(), 4);
}

TEST_P(as_future, moves_the_result_out_when_nobody_else_can_ask) {
  std::atomic<bool> open{false};
  auto handle = runtime.spawn(own_when(open, 5));
  auto result = std::move(handle).as_future();
  EXPECT_FALSE(handle);
  open = true;
  EXPECT_EQ(*result.get(), 5);
}

TEST_P(as_future, copies_the_result_for_who_keeps_a_handle) {
  const auto make = []() -> magpie::task<counted> { co_return counted(6); };
  const auto handle = runtime.spawn(make());
  auto first = handle.as_future();
  auto second = handle.as_future();
  EXPECT_EQ(first.get().value, 6);
  EXPECT_EQ(second.get().value, 6);
  EXPECT_EQ(handle.result().value, 6);
}

TEST_P(as_future, of_what_cannot_be_copied_needs_the_last_handle) {
  std::atomic<bool> open{true};
  const auto handle = runtime.spawn(own_when(open, 7));
  EXPECT_THROW(handle.as_future().get(), magpie::invalid_state);
  EXPECT_EQ(*handle.get(), 7);
}

TEST_P(as_future, is_ready_at_once_when_the_task_has_ended) {
  auto handle = runtime.spawn(give(8));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.as_future().wait_for(0s), std::future_status::ready);
  EXPECT_EQ(std::move(handle).as_future().get(), 8);
}

TEST_P(as_future, throws_what_the_task_threw_which_counts_as_observed) {
  auto failed = runtime.spawn(fail("told")).as_future();
  EXPECT_THROW(failed.get(), std::runtime_error);
}

// Rule 87: `cancelled` comes out of it.
TEST_P(as_future, throws_cancelled) {
  const auto handle = runtime.spawn(sleep_and_give(1));
  auto result = handle.as_future();
  handle.cancel("enough");
  try {
    result.get();
    ADD_FAILURE() << "a result";
  } catch (const magpie::cancelled& stopped) {
    EXPECT_EQ(stopped.reason(), "enough");
  }
}

TEST_P(as_future, is_ready_when_the_runtime_is_gone) {
  std::vector<std::future<int>> results;
  std::future<int> late;
  {
    magpie::runtime short_lived{{.workers = GetParam()}};
    magpie::task_handle<int> ended = short_lived.spawn(give(9));
    ASSERT_TRUE(ends(ended));
    for (int i = 0; i < 20; ++i)
      results.push_back(short_lived.spawn(sleep_and_give(i)).as_future());
    late = ended.as_future();
  }
  for (auto& each : results) {
    ASSERT_EQ(each.wait_for(0s), std::future_status::ready);
    EXPECT_THROW(each.get(), magpie::cancelled);
  }
  EXPECT_EQ(late.get(), 9);
}

TEST_P(as_future, may_be_dropped) {
  std::atomic<bool> open{false};
  auto handle = runtime.spawn(give_when(open, 10));
  static_cast<void>(handle.as_future().valid());
  open = true;
  EXPECT_EQ(handle.get(), 10);
}

// Rule 87: spawn, cancel, wait with a limit, and the future, all from foreign threads at once.
TEST_P(as_future, serves_many_foreign_threads) {
  constexpr int rounds = 200;
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      for (int i = 0; i < rounds; ++i) {
        auto kept = runtime.spawn(give(i));
        EXPECT_EQ(kept.as_future().get(), i);
        EXPECT_EQ(kept.get(1h), i);
        auto slow = runtime.spawn(sleep_and_give(number));
        EXPECT_THROW(slow.get(0s), magpie::timeout_error);
        EXPECT_TRUE(slow.cancel());
        EXPECT_THROW(std::move(slow).as_future().get(), magpie::cancelled);
      }
    });
  }
  for (auto& each : threads) each.join();
}

}  // namespace
