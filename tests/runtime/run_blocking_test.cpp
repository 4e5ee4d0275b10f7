#include <magpie/run_blocking.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/task_local.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/worker_counts.hpp"

namespace {

using magpie::test::counted;
using magpie::test::eventually;

class run_blocking : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam(), .max_blocking_threads = 8}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(run_blocking);

TEST_P(run_blocking, gives_the_result_whatever_its_kind) {
  int object = 1;
  const auto calls = [&object]() -> magpie::task<bool> {
    const int number = co_await magpie::run_blocking([] { return 5; });
    std::unique_ptr<int> moved =
        co_await magpie::run_blocking([] { return std::make_unique<int>(6); });
    int& same = co_await magpie::run_blocking([&object]() -> int& { return object; });
    co_await magpie::run_blocking([&object] { object = 2; });
    co_return number == 5 && *moved == 6 && &same == &object&& object == 2;
  };
  EXPECT_TRUE(runtime.block_on(calls()));
}

TEST_P(run_blocking, throws_what_the_function_throws) {
  const auto call = []() -> magpie::task<std::string> {
    try {
      co_await magpie::run_blocking([] { throw std::runtime_error("from the thread"); });
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing thrown";
  };
  EXPECT_EQ(runtime.block_on(call()), "from the thread");
}

TEST_P(run_blocking, runs_off_the_workers_and_comes_back) {
  const auto call = []() -> magpie::task<bool> {
    const auto self = magpie::current_task();
    const bool had_task =
        co_await magpie::run_blocking([] { return bool(magpie::current_task()); });
    co_return !had_task && magpie::current_task() == self;
  };
  EXPECT_TRUE(runtime.block_on(call()));
}

TEST_P(run_blocking, leaves_the_workers_free) {
  // More calls block than there are workers, until a task that needs a worker releases them.
  std::mutex mutex;
  std::condition_variable released;
  bool open = false;
  const auto block = [&]() -> magpie::task<> {
    co_await magpie::run_blocking([&] {
      std::unique_lock lock(mutex);
      released.wait(lock, [&] { return open; });
    });
  };
  const auto release = [&]() -> magpie::task<> {
    for (int i = 0; i < 50; ++i) co_await magpie::yield();
    const std::lock_guard lock(mutex);
    open = true;
    released.notify_all();
  };
  std::vector<magpie::task_handle<>> blocked;
  for (int i = 0; i < 20; ++i) blocked.push_back(runtime.spawn(block()));
  runtime.block_on(release());
  for (const auto& handle : blocked) {
    while (!handle.done()) std::this_thread::yield();
  }
}

TEST_P(run_blocking, never_runs_more_calls_at_once_than_allowed) {
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  const auto call = [&]() -> magpie::task<> {
    co_await magpie::run_blocking([&] {
      const int now = ++running;
      int seen = most;
      while (seen < now && !most.compare_exchange_weak(seen, now)) {
      }
      std::this_thread::yield();
      --running;
    });
  };
  std::vector<magpie::task_handle<>> calls;
  for (int i = 0; i < 500; ++i) calls.push_back(runtime.spawn(call()));
  for (const auto& handle : calls) {
    while (!handle.done()) std::this_thread::yield();
  }
  EXPECT_LE(most, 8);
  EXPECT_GE(most, 1);
}

TEST_P(run_blocking, destroys_function_and_result_once) {
  const auto call = []() -> magpie::task<int> {
    const counted captured(3);
    const auto function = [captured] { return captured; };
    const counted result = co_await magpie::run_blocking(function);
    co_return result.value;
  };
  EXPECT_EQ(runtime.block_on(call()), 3);
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(run_blocking, calls_in_flight_are_awaited_when_the_runtime_is_destroyed) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  const auto call = [&]() -> magpie::task<> {
    co_await magpie::run_blocking([&] {
      ++begun;
      std::this_thread::yield();
      ++ended;
    });
  };
  {
    magpie::runtime short_lived{{.workers = GetParam()}};
    for (int i = 0; i < 100; ++i) short_lived.spawn(call());
    ASSERT_TRUE(eventually([&] { return begun.load() != 0; }));
  }
  EXPECT_EQ(ended, begun);
}

// Rule 86: the task's values, as they are at the call.
TEST_P(run_blocking, carries_the_task_locals) {
  const magpie::task_local<int> number(7);
  const auto ask = [&]() -> magpie::task<int> { co_return number.get(); };
  const auto call = [&]() -> magpie::task<> {
    number.set(8);
    const auto function = [&] {
      EXPECT_THROW(number.set(9), magpie::invalid_state);
      EXPECT_EQ(runtime.spawn(ask()).get(), 8);
      return number.get();
    };
    const int seen = co_await magpie::run_blocking(function);
    EXPECT_EQ(seen, 8);
  };
  runtime.block_on(call());
  const auto call_without = [&]() -> magpie::task<int> {
    co_return co_await magpie::run_blocking([&] { return number.get(); });
  };
  EXPECT_EQ(runtime.block_on(call_without()), 7);
}

TEST(run_blocking_misuse, outside_of_a_task_is_an_error) {
  auto awaiter = magpie::run_blocking([] {});
  EXPECT_THROW(static_cast<void>(awaiter.await_ready()), magpie::invalid_state);
}

}  // namespace
