#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <magpie/runtime.hpp>
#include <magpie/task_handle.hpp>
#include <magpie/yield.hpp>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/reports.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

namespace {

using magpie::any_task_handle;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::give_when;
using magpie::test::reports;
using magpie::test::scaled;
using magpie::test::wait_until_done;

class done_callbacks : public magpie::test::reporting {};
MAGPIE_FOR_EACH_RUNTIME(done_callbacks);

// Rule 8: done callbacks run once each, in order, after done(), on a worker.

TEST_P(done_callbacks, runs_done_callbacks_once_in_order_after_the_end) {
  std::atomic<bool> open{false};
  std::mutex mutex;
  std::vector<int> order;
  std::atomic<int> called{0};
  std::atomic<int> wrong{0};
  const auto handle = runtime.spawn(give_when(open, 1));
  const auto callback_number = [&](int number) {
    return [&, number](const magpie::any_task_handle& ended) {
      if (!ended.done() || ended != handle || magpie::current_task()) ++wrong;
      {
        const std::lock_guard lock(mutex);
        order.push_back(number);
      }
      ++called;
    };
  };
  for (int i = 0; i < 10; ++i) handle.add_done_callback(callback_number(i));
  EXPECT_EQ(called, 0);
  open = true;
  wait_until_done(handle);
  for (int i = 10; i < 20; ++i) handle.add_done_callback(callback_number(i));
  EXPECT_TRUE(eventually([&] { return called == 20; }));
  const std::lock_guard lock(mutex);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(order.size(), 20U);
  EXPECT_EQ(wrong, 0);
}

TEST_P(done_callbacks, runs_no_done_callback_inside_add_done_callback) {
  const auto parent = []() -> magpie::task<bool> {
    const auto handle = magpie::spawn(give(1));
    co_await handle;
    const std::thread::id here = std::this_thread::get_id();
    std::atomic<bool> returned{false};
    std::atomic<bool> ran{false};
    std::atomic<bool> ran_inside{false};
    handle.add_done_callback([&](const magpie::any_task_handle&) {
      ran_inside = std::this_thread::get_id() == here && !returned;
      ran = true;
    });
    returned = true;
    while (!ran) co_await magpie::yield();
    co_return ran_inside;
  };
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(runtime.block_on(parent()));
}

TEST_P(done_callbacks, says_how_many_done_callbacks_it_removed) {
  std::atomic<bool> open{false};
  std::atomic<int> called{0};
  const auto handle = runtime.spawn(give_when(open, 1));
  const auto count = [&called](const magpie::any_task_handle&) { ++called; };
  const auto first = handle.add_done_callback(count);
  const auto second = handle.add_done_callback(count);
  EXPECT_EQ(handle.remove_done_callback(first), 1U);
  EXPECT_EQ(handle.remove_done_callback(first), 0U);
  open = true;
  EXPECT_TRUE(eventually([&] { return called >= 1; }));
  EXPECT_EQ(handle.remove_done_callback(second), 0U);
  EXPECT_EQ(called, 1);
}

TEST_P(done_callbacks, reports_what_a_done_callback_throws_and_runs_the_next) {
  std::atomic<bool> next_ran{false};
  const auto handle = runtime.spawn(give(1), {.name = "with callbacks"});
  handle.add_done_callback(
      [](const magpie::any_task_handle&) { throw std::runtime_error("from a callback"); });
  handle.add_done_callback([&next_ran](const magpie::any_task_handle&) { next_ran = true; });
  EXPECT_TRUE(eventually([&] { return next_ran.load(); }));
  EXPECT_EQ(reports::take(), std::vector<std::string>{"with callbacks"});
}

TEST_P(done_callbacks, loses_no_done_callback_when_the_end_and_the_registration_race) {
  std::atomic<int> called{0};
  for (int i = 0; i < 2000; ++i) {
    const auto handle = runtime.spawn(give_after_yields(i, i % 3));
    for (int spin = 0; spin < i % 64; ++spin) std::atomic_signal_fence(std::memory_order_seq_cst);
    handle.add_done_callback([&called](const magpie::any_task_handle&) { ++called; });
  }
  EXPECT_TRUE(eventually([&] { return called == 2000; }));
}

TEST(done_callbacks_alone, run_if_they_were_accepted_though_the_runtime_ends) {
  for (std::size_t round = 0; round < scaled(1e5); ++round) {
    std::atomic<int> accepted{0};
    std::atomic<int> runs{0};
    std::optional<magpie::runtime> runtime;
    runtime.emplace(magpie::runtime_options{.workers = 1});
    const auto handle = runtime->spawn(give(1));
    const auto add = [&] {
      for (int i = 0; i < 20; ++i) {
        try {
          handle.add_done_callback([&runs](const any_task_handle&) { ++runs; });
          ++accepted;
        } catch (const magpie::invalid_state&) {
        }
      }
    };
    std::thread first(add);
    std::thread second(add);
    runtime.reset();
    first.join();
    second.join();
    ASSERT_EQ(runs, accepted);
  }
}

}  // namespace
