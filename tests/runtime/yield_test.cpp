#include <magpie/yield.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/worker_counts.hpp"

namespace {

class yield : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(yield);

// The order in which several workers run tasks is not promised.
class yield_on_one_worker : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

TEST_F(yield_on_one_worker, makes_tasks_take_turns) {
  const auto talk = []() -> magpie::task<std::string> {
    std::string said;
    const auto say = [&said](char letter) -> magpie::task<> {
      for (int i = 0; i < 4; ++i) {
        said += letter;
        co_await magpie::yield();
      }
    };
    const auto a = magpie::spawn(say('a'));
    const auto b = magpie::spawn(say('b'));
    co_await a;
    co_await b;
    co_return said;
  };
  EXPECT_EQ(runtime.block_on(talk()), "abababab");
}

TEST_P(yield, does_not_starve_work_from_outside) {
  std::atomic<bool> stop{false};
  const auto spin = [&stop]() -> magpie::task<> {
    while (!stop) co_await magpie::yield();
  };
  std::vector<magpie::task_handle<>> spinners;
  for (std::size_t i = 0; i < 2 * GetParam(); ++i) spinners.push_back(runtime.spawn(spin()));
  const auto end = [&stop]() -> magpie::task<> {
    stop = true;
    co_return;
  };
  runtime.block_on(end());
  for (const auto& handle : spinners) {
    while (!handle.done()) std::this_thread::yield();
  }
}

TEST(yield_misuse, outside_of_a_task_is_an_error) {
  auto awaiter = magpie::yield();
  EXPECT_THROW(static_cast<void>(awaiter.await_ready()), magpie::invalid_state);
}

}  // namespace
