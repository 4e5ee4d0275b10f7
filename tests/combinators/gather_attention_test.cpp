#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <tuple>
#include <vector>

#include "support/eventually.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

// A tree of gathers goes from child to child without coming back to its worker's loop.

namespace {

using magpie::test::eventually;

/// The leaves, all of which run in the task `self`; fewer when one does not.
magpie::task<int> leaves_of(int levels, const magpie::any_task_handle& self) {
  if (levels == 0) co_return magpie::current_task() == self ? 1 : 0;
  const std::tuple<int, int> both =
      co_await magpie::gather(leaves_of(levels - 1, self), leaves_of(levels - 1, self));
  const bool is_same = magpie::current_task() == self;
  co_return is_same ? std::get<0>(both) + std::get<1>(both) : 0;
}

/// Gathers until `stop`, or until the test has given up. False when a part of it ran in another
/// task.
magpie::task<bool> compute(std::atomic<bool>& stop, std::atomic<std::size_t>& begun) {
  ++begun;
  const magpie::any_task_handle self = magpie::current_task();
  const auto limit = magpie::clock::now() + std::chrono::seconds(60);
  bool is_right = true;
  while (!stop && magpie::clock::now() < limit) {
    const int leaves = co_await leaves_of(8, self);
    is_right = is_right && leaves == 256;
  }
  co_return is_right&& stop;
}

class gather_attention : public magpie::test::each_worker_count {
 protected:
  void compute_and_run(std::size_t computations) {
    std::vector<magpie::task_handle<bool>> running;
    for (std::size_t i = 0; i < computations; ++i) {
      running.push_back(runtime.spawn(compute(stop, begun)));
      ASSERT_TRUE(eventually([&] { return begun == i + 1; })) << "held up by those before";
    }
    for (int i = 0; i < 10; ++i) {
      const auto task = runtime.spawn(magpie::test::give_after_yields(i, 3));
      EXPECT_TRUE(eventually([&] { return task.done(); }));
    }
    for (const auto& each : running) EXPECT_FALSE(each.done()) << "it did not wait for it";
    stop = true;
    for (const auto& each : running) {
      EXPECT_TRUE(eventually([&] { return each.done(); }));
      EXPECT_TRUE(each.result());
    }
  }

  std::atomic<bool> stop{false};
  std::atomic<std::size_t> begun{0};
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(gather_attention);

TEST_P(gather_attention, comes_to_others_while_every_worker_computes) {
  compute_and_run(GetParam());
}

TEST_P(gather_attention, comes_to_computations_within_computations) {
  compute_and_run(GetParam() + 3);
}

}  // namespace
