#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <magpie/runtime.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "support/cancelling.hpp"
#include "support/leaks.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// Tasks that await each other never end of themselves, and a request to cancel one has nobody to
// end first. But it must come back to who made it.

namespace {

using magpie::test::scaled;

/// A ring of tasks, each of which awaits the one before. It never ends, so neither do the runtimes
/// that this keeps.
const std::vector<magpie::task_handle<int>>& ring_that_never_ends(std::size_t workers,
                                                                  std::size_t length) {
  struct kept {
    magpie::runtime runtime;
    std::vector<magpie::task_handle<int>> ring;
    std::atomic<bool> is_closed{false};

    explicit kept(std::size_t count) : runtime{{.workers = count}} {}
  };
  static auto* const all = new std::vector<std::unique_ptr<kept>>;
  kept& made = *all->emplace_back(std::make_unique<kept>(workers));
  const auto await_neighbour = [](kept& mine, std::size_t place) -> magpie::task<int> {
    while (!mine.is_closed) co_await magpie::yield();
    const magpie::task_handle<int> before =
        mine.ring[(place + mine.ring.size() - 1) % mine.ring.size()];
    co_return co_await before;
  };
  for (std::size_t i = 0; i < length; ++i) {
    made.ring.push_back(made.runtime.spawn(await_neighbour(made, i)));
  }
  made.is_closed = true;
  EXPECT_TRUE(magpie::test::nothing_runs(workers));
  magpie::test::threads_left += workers + 1;
  return made.ring;
}

class cancel_ring : public magpie::test::each_worker_count {};
MAGPIE_FOR_EACH_WORKER_COUNT(cancel_ring);

TEST_P(cancel_ring, of_two_tasks_comes_back) {
  const magpie::test::left_behind all_of_it;
  const auto& ring = ring_that_never_ends(GetParam(), 2);
  EXPECT_TRUE(ring[0].cancel("hopeless"));
  EXPECT_TRUE(ring[1].cancel());
  for (const auto& each : ring) {
    EXPECT_FALSE(each.done());
    EXPECT_GE(each.cancelling(), 2U);
  }
}

TEST_P(cancel_ring, by_many_threads_comes_back) {
  const magpie::test::left_behind all_of_it;
  const auto& ring = ring_that_never_ends(GetParam(), 5);
  std::vector<std::thread> cancellers;
  for (std::size_t i = 0; i < 3; ++i) {
    cancellers.emplace_back([&, i] {
      const magpie::test::left_behind reasons;
      for (std::size_t k = 0; k < scaled(500'000); ++k) {
        EXPECT_TRUE(ring[(i + k) % ring.size()].cancel());
      }
    });
  }
  for (std::thread& each : cancellers) each.join();
  for (const auto& each : ring) EXPECT_FALSE(each.done());
}

}  // namespace
