#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/tasks.hpp"
#include "support/virtual_clock.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::virtual_time;
using magpie::test::fail;
using magpie::test::sleep_long;
using magpie::test::start;

/// What is seen of tasks that yield, sleep, time out, fail, are cancelled and await each other.
std::vector<std::string> transcript(std::uint64_t seed) {
  std::vector<std::string> lines;
  const auto say = [&lines](const std::string& who, const std::string& what) {
    lines.push_back(std::to_string((magpie::now() - start) / 1ns) + " " + who + " " + what);
  };
  const auto work = [&](std::string who, std::uint64_t own_seed) -> magpie::task<int> {
    std::mt19937_64 random(own_seed);
    for (int step = 0; step < 20; ++step) {
      const auto delay = std::chrono::seconds(random() % 4);
      std::string ended = "went on";
      try {
        switch (random() % 4) {
          case 0:
            co_await magpie::yield();
            break;
          case 1:
            co_await magpie::sleep_for(delay);
            break;
          case 2:
            co_await magpie::wait_for(sleep_long(), delay);
            break;
          default:
            co_await magpie::spawn(fail(who));
        }
      } catch (const magpie::timeout_error&) {
        ended = "was out of time";
      } catch (const std::exception& error) {
        ended = error.what();
      } catch (const magpie::cancelled&) {
        ended = "was cancelled";
      }
      say(who, ended);
    }
    co_return 1;
  };
  const auto root = [&]() -> magpie::task<> {
    std::vector<magpie::task_handle<int>> all;
    for (int i = 0; i < 10; ++i) {
      const std::string name = "task " + std::to_string(i);
      all.push_back(magpie::spawn(work(name, static_cast<std::uint64_t>(i)), {.name = name}));
    }
    co_await magpie::sleep_for(3s);
    all[0].cancel();
    for (auto& each : all) co_await each;
    say("root", "ends");
  };
  magpie::runtime runtime{{.workers = 0, .time = virtual_time, .seed = seed}};
  runtime.block_on(root());
  return lines;
}

TEST(virtual_clock_seeds, repeat_a_run_and_differ_from_each_other) {
  std::set<std::vector<std::string>> different;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto first = transcript(seed);
    EXPECT_EQ(first.size(), 201U);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(transcript(seed), first) << "seed " << seed;
    different.insert(first);
  }
  EXPECT_EQ(different.size(), 20U);
}

}  // namespace
