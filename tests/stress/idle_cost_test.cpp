#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <magpie/runtime.hpp>
#include <thread>

#include "support/scale.hpp"
#include "support/threads.hpp"

// What a runtime without work costs. The wall clock is the subject: 10 seconds at full size.

namespace {

using magpie::test::once_asleep;
using magpie::test::threads_named;

std::chrono::duration<double> watched_time() {
  return std::chrono::duration<double>(
      std::max<double>(1.0, static_cast<double>(magpie::test::scaled(10))));
}

magpie::task<> nothing() { co_return; }

TEST(idle_cost, eight_workers_without_work_sleep) {
  magpie::runtime runtime{{.workers = 8}};
  runtime.block_on(nothing());
  const auto before = once_asleep("magpie-", 9);
  ASSERT_FALSE(before.empty()) << "eight workers and the timekeeper";
  const auto cpu_before = runtime.statistics();
  std::this_thread::sleep_for(watched_time());
  const auto after = threads_named("magpie-");
  const auto cpu_after = runtime.statistics();
  for (const auto& [thread, status] : after) {
    EXPECT_LE(status.voluntary_switches - before.at(thread).voluntary_switches, 5) << thread;
  }
  for (std::size_t i = 0; i < 8; ++i) {
    const auto spent = cpu_after.workers[i].cpu_time - cpu_before.workers[i].cpu_time;
    EXPECT_LT(spent, watched_time() / 1000) << "under 0.1 % of a processor, worker " << i;
  }
}

TEST(idle_cost, idle_workers_beside_one_long_task_sleep) {
  std::atomic<bool> stop{false};
  const auto compute = [&stop]() -> magpie::task<> {
    while (!stop) std::atomic_signal_fence(std::memory_order_seq_cst);
    co_return;
  };
  magpie::runtime runtime{{.workers = 8}};
  static_cast<void>(runtime.spawn(compute()));
  // They look around a few times before they park; what that costs does not grow with the time.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto before = runtime.statistics();
  std::this_thread::sleep_for(watched_time());
  const auto after = runtime.statistics();
  stop = true;
  std::chrono::nanoseconds busiest{0};
  std::chrono::nanoseconds all{0};
  for (std::size_t i = 0; i < 8; ++i) {
    const auto spent = after.workers[i].cpu_time - before.workers[i].cpu_time;
    busiest = std::max(busiest, spent);
    all += spent;
  }
  EXPECT_LT(all - busiest, watched_time() / 100) << "what the seven others spent";
}

/// The processor time of the whole process: workers, timekeeper, and this thread.
std::chrono::nanoseconds spent_so_far() {
  timespec time{};
  EXPECT_EQ(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time), 0);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

TEST(idle_cost, an_empty_task_every_10_ms_costs_little) {
  magpie::runtime runtime{{.workers = 8}};
  runtime.block_on(nothing());
  ASSERT_FALSE(once_asleep("magpie-", 9).empty());
  const auto start = std::chrono::steady_clock::now();
  const auto before = spent_so_far();
  while (std::chrono::steady_clock::now() - start < watched_time()) {
    runtime.block_on(nothing());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const std::chrono::duration<double> watched = std::chrono::steady_clock::now() - start;
  const std::chrono::duration<double> spent = spent_so_far() - before;
  std::printf("%.2f %% of a processor\n", spent / watched * 100);
  // The small size also runs under sanitizers and beside other programs.
  EXPECT_LT(spent / watched, magpie::test::stress_scale() < 1 ? 0.2 : 0.03);
}

}  // namespace
