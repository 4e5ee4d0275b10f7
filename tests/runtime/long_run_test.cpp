#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/parallel_invoke.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/yield.hpp>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"
#include "support/threads.hpp"
#include "support/worker_counts.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::eventually;
using magpie::test::once_asleep;
using magpie::test::scaled;
using magpie::test::wait_until_done;

/// What runtimes' hooks were told, once for the test to take.
class told {
 public:
  struct run {
    std::string task_name;
    magpie::duration so_far;
    std::string thread;
  };

  static void add(const magpie::long_run& run) noexcept {
    const std::lock_guard lock(mutex_);
    runs_.push_back({std::string(run.task_name), run.so_far, magpie::test::this_thread_name()});
  }

  [[nodiscard]] static std::size_t count() {
    const std::lock_guard lock(mutex_);
    return runs_.size();
  }
  [[nodiscard]] static bool knows(const std::string& task_name) {
    const std::lock_guard lock(mutex_);
    return std::ranges::count(runs_, task_name, &run::task_name) != 0;
  }
  [[nodiscard]] static std::vector<run> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(runs_, {});
  }

 private:
  inline static std::mutex mutex_;
  inline static std::vector<run> runs_;
};

/// Keeps the worker for so long, and at least until `enough` runs have been told.
void keep_busy(magpie::duration time, std::size_t enough) {
  const auto until = magpie::clock::now() + time;
  EXPECT_TRUE(eventually([&] { return magpie::clock::now() >= until && told::count() >= enough; }));
}

class long_run : public magpie::test::each_worker_count {};
MAGPIE_FOR_EACH_WORKER_COUNT(long_run);

TEST_P(long_run, is_told_once_with_its_name_and_time) {
  magpie::runtime runtime{
      {.workers = GetParam(), .long_run_limit = 5ms, .on_long_run = &told::add}};
  const auto compute = []() -> magpie::task<> {
    keep_busy(30ms, 1);
    keep_busy(30ms, 1);  // after the report
    co_return;
  };
  const auto handle = runtime.spawn(compute(), {.name = "keeps on"});
  wait_until_done(handle);
  const auto runs = told::take();
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].task_name, "keeps on");
  EXPECT_GE(runs[0].so_far, 5ms);
  EXPECT_NE(runs[0].thread, "magpie-time");  // rule 94
}

TEST_P(long_run, is_told_anew_after_a_suspension) {
  magpie::runtime runtime{
      {.workers = GetParam(), .long_run_limit = 5ms, .on_long_run = &told::add}};
  const auto compute = []() -> magpie::task<> {
    keep_busy(20ms, 1);
    co_await magpie::yield();
    keep_busy(20ms, 2);
    co_await magpie::sleep_for(1ms);
    keep_busy(20ms, 3);
  };
  wait_until_done(runtime.spawn(compute(), {.name = "again"}));
  const auto runs = told::take();
  ASSERT_EQ(runs.size(), 3U);
  for (const auto& each : runs) EXPECT_EQ(each.task_name, "again");
}

// Nor does it matter that it was renamed, or that no handle of it is left.
TEST_P(long_run, is_told_with_the_name_of_the_moment) {
  magpie::runtime runtime{
      {.workers = GetParam(), .long_run_limit = 5ms, .on_long_run = &told::add}};
  std::atomic<bool> ended{false};
  const auto compute = [&ended]() -> magpie::task<> {
    magpie::current_task().set_name("renamed");
    co_await magpie::yield();
    EXPECT_TRUE(eventually([] { return told::knows("renamed"); }));
    ended = true;
  };
  static_cast<void>(runtime.spawn(compute(), {.name = "born"}));
  EXPECT_TRUE(eventually([&] { return ended.load(); }));
  const auto runs = told::take();
  ASSERT_FALSE(runs.empty());
  EXPECT_EQ(runs.back().task_name, "renamed");
  // It may have been held up before it had its name, and the report of that, too.
  EXPECT_LE(runs.size(), 2U);
}

TEST_P(long_run, of_forks_and_joins_is_one_too) {
  magpie::runtime runtime{
      {.workers = GetParam(), .long_run_limit = 20ms, .on_long_run = &told::add}};
  const auto compute = []() -> magpie::task<> {
    EXPECT_TRUE(eventually([] {
      magpie::parallel_invoke([] {}, [] {});
      return told::count() != 0;
    }));
    co_return;
  };
  wait_until_done(runtime.spawn(compute(), {.name = "forks"}));
  const auto runs = told::take();
  ASSERT_FALSE(runs.empty());
  EXPECT_EQ(runs[0].task_name, "forks");
}

TEST(long_run_limit, does_not_tell_of_a_task_that_suspends_often) {
  magpie::runtime runtime{{.workers = 2, .long_run_limit = 400ms, .on_long_run = &told::add}};
  const auto go_on = [](magpie::duration time) -> magpie::task<> {
    const auto end = magpie::clock::now() + time;
    while (magpie::clock::now() < end) co_await magpie::yield();
  };
  // On a machine that stands still for so long it does not suspend often. It does not each time.
  EXPECT_TRUE(eventually([&] {
    runtime.block_on(go_on(900ms));
    return told::take().empty();
  }));
}

TEST(long_run_limit, does_not_tell_of_an_idle_runtime) {
  magpie::runtime runtime{{.workers = 2, .long_run_limit = 10ms, .on_long_run = &told::add}};
  const auto sleep = []() -> magpie::task<> { co_await magpie::sleep_for(100ms); };
  // The moment of going to sleep may be long, by accident, but not each time.
  EXPECT_TRUE(eventually([&] {
    wait_until_done(runtime.spawn(sleep()));
    EXPECT_FALSE(once_asleep("magpie-", 3).empty()) << "the watch is over";
    return told::take().empty();
  }));
}

TEST(long_run_limit, is_endless_by_default) {
  magpie::runtime runtime{{.workers = 2, .on_long_run = &told::add}};
  const auto compute = []() -> magpie::task<> {
    keep_busy(100ms, 0);
    co_return;
  };
  wait_until_done(runtime.spawn(compute()));
  EXPECT_EQ(told::count(), 0U);
}

TEST(long_run_limit, prints_one_line_by_default) {
  testing::internal::CaptureStderr();
  magpie::print_long_run({.task_name = "too long", .so_far = 1234567us});
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "magpie: task \"too long\" has not suspended for 1234 ms\n");
}

// The report looks for a task that may just be ending, while others begin and end: their names can
// be read, and each is of the runtime that reports.

std::atomic<std::size_t> told_first{0};
std::atomic<std::size_t> told_second{0};
std::atomic<std::size_t> told_wrongly{0};

template <char own>
void add_up(const magpie::long_run& run) noexcept {
  ++(own == 'a' ? told_first : told_second);
  const bool is_right = run.task_name == std::string(40, own) && run.so_far >= 1ms;
  if (!is_right) ++told_wrongly;
}

TEST(long_run_stress, tells_while_tasks_begin_and_end) {
  magpie::runtime first{{.workers = 2, .long_run_limit = 1ms, .on_long_run = &add_up<'a'>}};
  magpie::runtime second{{.workers = 2, .long_run_limit = 1ms, .on_long_run = &add_up<'b'>}};
  const auto compute = [](magpie::duration time) -> magpie::task<> {
    const auto until = magpie::clock::now() + time;
    while (magpie::clock::now() < until) std::atomic_signal_fence(std::memory_order_seq_cst);
    co_return;
  };
  const auto drive = [&](magpie::runtime& runtime, char own) {
    const std::string name(40, own);
    const std::size_t tasks = scaled(5e3);
    for (std::size_t i = 0; i < tasks; ++i) {
      auto one = runtime.spawn(compute(i * 97us % 4ms), {.name = name});
      if (i % 8 == 0) wait_until_done(one);
    }
  };
  // All of a round may have ended before anything is told, when who tells it is held up.
  EXPECT_TRUE(eventually([&] {
    std::thread other([&] { drive(second, 'b'); });
    drive(first, 'a');
    other.join();
    return told_first != 0 && told_second != 0;
  }));
  EXPECT_TRUE(eventually([&] { return first.all_tasks().empty() && second.all_tasks().empty(); }));
  EXPECT_EQ(told_wrongly, 0U);
}

}  // namespace
