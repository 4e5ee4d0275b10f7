#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <magpie/runtime.hpp>
#include <map>
#include <string>
#include <thread>

#include "support/scale.hpp"

// What a runtime without work costs. The wall clock is the subject: 10 seconds at full size.

namespace {

/// Voluntary context switches so far of each of the runtime's threads.
std::map<std::string, long> voluntary_switches() {
  std::map<std::string, long> result;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name.rfind("magpie-", 0) != 0) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      const std::string key = "voluntary_ctxt_switches:";
      if (line.rfind(key, 0) == 0) result[name] = std::stol(line.substr(key.size()));
    }
  }
  return result;
}

std::chrono::duration<double> watched_time() {
  return std::chrono::duration<double>(
      std::max<double>(1.0, static_cast<double>(magpie::test::scaled(10))));
}

magpie::task<> nothing() { co_return; }

TEST(idle_cost, eight_workers_without_work_sleep) {
  magpie::runtime runtime{{.workers = 8}};
  runtime.block_on(nothing());
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // until all have gone to sleep
  const auto before = voluntary_switches();
  EXPECT_EQ(before.size(), 9U) << "eight workers and the timekeeper";
  const auto cpu_before = runtime.statistics();
  std::this_thread::sleep_for(watched_time());
  const auto after = voluntary_switches();
  const auto cpu_after = runtime.statistics();
  for (const auto& [name, switches] : after) {
    std::printf("%-14s %ld voluntary switches\n", name.c_str(), switches - before.at(name));
    EXPECT_LE(switches - before.at(name), 5) << name;
  }
  for (std::size_t i = 0; i < 8; ++i) {
    const auto spent = cpu_after.workers[i].cpu_time - cpu_before.workers[i].cpu_time;
    EXPECT_LT(spent, watched_time() / 1000) << "under 0.1 % of a processor, worker " << i;
  }
}

TEST(idle_cost, idle_workers_beside_one_long_task_sleep) {
  magpie::runtime runtime{{.workers = 8}};
  const auto compute = [](std::chrono::duration<double> time) -> magpie::task<> {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
    }
    co_return;
  };
  runtime.block_on(nothing());
  const auto before = runtime.statistics();
  runtime.block_on(compute(watched_time()));
  const auto after = runtime.statistics();
  std::chrono::nanoseconds busiest{0};
  std::chrono::nanoseconds all{0};
  for (std::size_t i = 0; i < 8; ++i) {
    const auto spent = after.workers[i].cpu_time - before.workers[i].cpu_time;
    busiest = std::max(busiest, spent);
    all += spent;
  }
  EXPECT_LT(all - busiest, watched_time() / 100) << "what the seven others spent";
}

}  // namespace
