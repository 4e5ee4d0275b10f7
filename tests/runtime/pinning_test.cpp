#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <thread>
#include <vector>

#include "support/eventually.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

namespace {

using magpie::test::eventually;
using magpie::test::wait_until_done;

/// The processors that the calling thread may use.
std::vector<std::size_t> processors() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  EXPECT_EQ(::sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &allowed)) found.push_back(i);
  }
  return found;
}

class pinning : public magpie::test::each_worker_count {
 protected:
  /// What each worker may use: a task on each, which keeps it until all have begun.
  [[nodiscard]] std::vector<std::vector<std::size_t>> of_each_worker(magpie::runtime& runtime) {
    std::atomic<std::size_t> begun{0};
    const auto look = [&](std::vector<std::size_t>& found) -> magpie::task<> {
      ++begun;
      EXPECT_TRUE(eventually([&] { return begun == GetParam(); }));
      found = processors();
      co_return;
    };
    std::vector<std::vector<std::size_t>> found(GetParam());
    std::vector<magpie::task_handle<>> handles;
    for (auto& each : found) handles.push_back(runtime.spawn(look(each)));
    for (const auto& each : handles) wait_until_done(each);
    return found;
  }

  const std::vector<std::size_t> all = processors();
};
MAGPIE_FOR_EACH_WORKER_COUNT(pinning);

TEST_P(pinning, keeps_each_worker_on_one_processor_in_turns) {
  magpie::runtime runtime{{.workers = GetParam(), .pin = true}};
  std::vector<std::size_t> used;
  for (const auto& each : of_each_worker(runtime)) {
    ASSERT_EQ(each.size(), 1U);
    used.push_back(each.front());
  }
  std::vector<std::size_t> expected;
  for (std::size_t i = 0; i < GetParam(); ++i) expected.push_back(all[i % all.size()]);
  std::sort(used.begin(), used.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(used, expected);
}

TEST_P(pinning, is_not_done_unasked) {
  magpie::runtime runtime{{.workers = GetParam()}};
  for (const auto& each : of_each_worker(runtime)) EXPECT_EQ(each, all);
}

TEST_P(pinning, leaves_other_threads_alone) {
  magpie::runtime runtime{{.workers = GetParam(), .pin = true}};
  static_cast<void>(of_each_worker(runtime));
  EXPECT_EQ(processors(), all);
  std::vector<std::size_t> of_a_new_thread;
  std::thread([&] { of_a_new_thread = processors(); }).join();
  EXPECT_EQ(of_a_new_thread, all);
}

// A blocking thread is started by a worker, but is not one.
TEST_P(pinning, leaves_blocking_threads_alone) {
  magpie::runtime runtime{{.workers = GetParam(), .pin = true}};
  const auto look = []() -> magpie::task<std::vector<std::size_t>> {
    auto found = co_await magpie::run_blocking(&processors);
    co_return found;
  };
  EXPECT_EQ(runtime.block_on(look()), all);
}

}  // namespace
