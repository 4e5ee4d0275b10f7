#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <magpie/magpie.hpp>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/cancelling.hpp"
#include "support/eventually.hpp"
#include "support/handles.hpp"
#include "support/tasks.hpp"

// What waits for many tasks cost. With sanitizers they would be what is measured.

#if MAGPIE_TEST_COUNTS_ALLOCATIONS

namespace {

using namespace std::chrono_literals;
using magpie::until;
using magpie::test::allocations;
using magpie::test::eventually;
using magpie::test::give_after_yields;
using magpie::test::handles_of_int;
using magpie::test::sleep_and_give;

class watch_cost : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
};

/// Tasks that end one after the other when this thread lets them.
handles_of_int some_tasks(std::size_t count) {
  handles_of_int all;
  all.reserve(count);
  for (std::size_t i = 0; i < count; ++i) all.push_back(magpie::spawn(give_after_yields(1, 1)));
  return all;
}

constexpr std::size_t count = 1000;  // so that a block is too large for the frame pool

TEST_F(watch_cost, of_a_wait_is_its_result_and_one_block) {
  const auto wait_for_all = [&](until when) -> magpie::task<std::size_t> {
    auto all = some_tasks(count);
    const auto limit = 1h;
    const std::size_t before = allocations;
    const auto found = co_await magpie::wait(std::move(all), when, limit);
    const std::size_t spent = allocations - before;
    EXPECT_FALSE(found.done.empty());
    co_return spent;
  };
  EXPECT_EQ(runtime.block_on(wait_for_all(until::all_completed)), 2U);
  EXPECT_EQ(runtime.block_on(wait_for_all(until::first_completed)), 2U);
}

TEST_F(watch_cost, of_a_stream_is_one_block) {
  const auto take_all = [&]() -> magpie::task<std::size_t> {
    auto all = some_tasks(count);
    const std::size_t before = allocations;
    auto finished = magpie::as_completed(std::move(all), 1h);
    std::size_t given = 0;
    while (auto next = co_await finished.next()) ++given;
    EXPECT_EQ(given, count);
    co_return allocations - before;
  };
  EXPECT_EQ(runtime.block_on(take_all()), 1U);
}

TEST_F(watch_cost, of_a_gather_of_handles_is_its_result_and_one_block) {
  const auto gather_all = [&]() -> magpie::task<std::size_t> {
    auto all = some_tasks(count);
    const std::size_t before = allocations;
    const std::vector<int> results = co_await magpie::gather(std::move(all));
    EXPECT_EQ(results.size(), count);
    co_return allocations - before;
  };
  EXPECT_EQ(runtime.block_on(gather_all()), 2U);
}

std::chrono::nanoseconds processor_time() {
  std::timespec spent{};
  EXPECT_EQ(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent), 0);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

/// Whether ten times the size takes less than 30 times as long. Some ten times are right; a
/// quadratic part would make it a hundred. The least of several times counts, in which others
/// disturbed least.
template <class Body>
bool is_linear(magpie::runtime& runtime, const Body& body) {
  auto few = std::chrono::nanoseconds::max();
  auto many = std::chrono::nanoseconds::max();
  const auto measure = [&](std::chrono::nanoseconds& least, std::size_t size) {
    const auto start = processor_time();
    runtime.block_on(body(size));
    least = std::min(least, processor_time() - start);
  };
  return eventually([&] {
    measure(few, 3000);
    measure(many, 30'000);
    return many < 30 * few;
  });
}

// Rule 58: any number.

TEST_F(watch_cost, grows_as_the_number_of_handles_does) {
  const auto stream_all = [](std::size_t size) -> magpie::task<> {
    auto finished = magpie::as_completed(some_tasks(size), 1h);
    while (auto next = co_await finished.next()) {
    }
  };
  const auto leave_early = [](std::size_t size) -> magpie::task<> {
    const auto sleeper = magpie::spawn(sleep_and_give(1));
    std::vector<magpie::task_handle<int>> all;
    for (std::size_t i = 0; i < size; ++i) {
      all.push_back(magpie::spawn(magpie::test::give_after(i % 7 * 1s, 1)));
      all.push_back(sleeper);
    }
    const auto found = co_await magpie::wait(all, until::first_completed);
    EXPECT_LT(found.done.size(), size);
    sleeper.cancel();
    co_await magpie::wait(all);
  };
  EXPECT_TRUE(is_linear(runtime, stream_all));
  EXPECT_TRUE(is_linear(runtime, leave_early));
}

}  // namespace

#endif
