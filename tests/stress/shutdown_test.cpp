#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <magpie/magpie.hpp>
#include <optional>
#include <random>
#include <thread>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

// A runtime that is stopped at any moment, from anywhere, leaves nothing behind.

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::eventually;

// Each end takes less than a second on a quiet machine; the test prints the longest. A task that
// nobody cancels would sleep for much longer than this.
constexpr magpie::duration ample = 30s;

std::ptrdiff_t threads_of_process() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return std::distance(begin(threads), end(threads));
}

magpie::task<> sleep_long(counted) { co_await magpie::sleep_for(1000h); }

magpie::task<> yield_for_ever(counted) {
  for (;;) co_await magpie::yield();
}

magpie::task<> nap(counted) { co_await magpie::sleep_for(50us); }

magpie::task<> clean_up_slowly(counted) {
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled&) {
  }
  co_await magpie::sleep_for(100us);
  magpie::spawn(nap(counted()));
}

magpie::task<> sleep_limited(counted) { co_await magpie::wait_for(sleep_long(counted()), 1h); }

magpie::task<> spawn_and_wait(counted) {
  const auto spawned = magpie::spawn(sleep_limited(counted()));
  co_await magpie::gather(sleep_limited(counted()), sleep_long(counted()));
  co_await spawned;
}

magpie::task<> nap_often(counted) {
  for (;;) co_await magpie::sleep_for(50us);
}

magpie::task<> call_often(counted) {
  for (;;) co_await magpie::run_blocking([] {});
}

magpie::task<> any_of_these(std::size_t which) {
  switch (which) {
    case 0:
      return sleep_long(counted());
    case 1:
      return yield_for_ever(counted());
    case 2:
      return clean_up_slowly(counted());
    case 3:
      return spawn_and_wait(counted());
    case 4:
      return nap_often(counted());
    default:
      return call_often(counted());
  }
}

magpie::task<> request_end(magpie::runtime& ended, int yields) {
  for (int i = 0; i < yields; ++i) co_await magpie::yield();
  ended.request_shutdown();
}

TEST(shutdown_stress, at_any_moment_and_from_anywhere) {
  std::mt19937_64 random(magpie::test::announced_seed());
  std::thread([] {}).join();  // with the first thread ThreadSanitizer starts one of its own
  const std::ptrdiff_t threads_before = threads_of_process();
  magpie::duration longest{0};
  for (std::size_t round = magpie::test::scaled(1e4); round != 0; --round) {
    std::optional<magpie::runtime> stopped;
    stopped.emplace(magpie::runtime_options{.workers = 1 + random() % 3});
    for (std::size_t tasks = random() % 16; tasks != 0; --tasks) {
      stopped->spawn(any_of_these(random() % 6));
    }
    const auto stop_at = magpie::clock::now() + std::chrono::microseconds(random() % 300);
    const std::size_t from = random() % 3;
    if (from == 0) stopped->spawn(request_end(*stopped, static_cast<int>(random() % 50)));
    while (magpie::clock::now() < stop_at) std::this_thread::yield();
    const auto begin = magpie::clock::now();
    if (from != 2) {
      const magpie::runtime_report left = stopped->shutdown(ample);
      EXPECT_TRUE(left.is_empty()) << left.text();
    }
    stopped.reset();
    longest = std::max(longest, magpie::clock::now() - begin);
    ASSERT_LT(longest, ample);
    ASSERT_EQ(counted::alive(), 0);
    ASSERT_TRUE(eventually([&] { return threads_of_process() == threads_before; }));
  }
  std::cout << "the longest end took " << longest / 1us << " us" << std::endl;
}

}  // namespace
