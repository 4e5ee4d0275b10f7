#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>
#include <thread>
#include <vector>

#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/threads.hpp"
#include "support/worker_counts.hpp"

// Jobs from threads that are no workers: none is lost, none runs twice, and when all have run the
// scheduler knows that nothing is left.

namespace {

using magpie::worker_statistics;
using magpie::detail::job;
using magpie::detail::scheduler;
using magpie::detail::worker;
using magpie::test::once_asleep;
using magpie::test::reaches;
using magpie::test::scaled;

/// As small as it can be, for there are millions.
struct counted_job : job {
  counted_job() noexcept
      : job([](job& self, worker&) noexcept {
          static_cast<counted_job&>(self).runs.fetch_add(1, std::memory_order_release);
        }) {}

  std::atomic<std::uint8_t> runs{0};
};

using jobs = std::vector<counted_job>;

/// Waits until each has run, and counts those that have not run exactly once.
[[nodiscard]] std::size_t wrong_in(const jobs& all) {
  std::size_t finished = 0;
  const bool came = reaches(
      [&] {
        while (finished < all.size() && all[finished].runs.load(std::memory_order_acquire) != 0) {
          ++finished;
        }
        return finished;
      },
      all.size());
  EXPECT_TRUE(came) << "job " << finished << " of " << all.size() << " never ran";
  std::size_t wrong = 0;
  for (const counted_job& each : all) wrong += each.runs.load() != 1 ? 1 : 0;
  return wrong;
}

std::size_t jobs_of(const scheduler& home) {
  std::size_t sum = 0;
  for (const worker_statistics& each : home.statistics()) sum += each.jobs;
  return sum;
}

class submission : public magpie::test::each_worker_count {
 protected:
  /// A worker that sees a count other than zero would go on searching.
  void expect_that_nothing_is_left(std::size_t submitted) const {
    EXPECT_EQ(jobs_of(home_), submitted);
    EXPECT_FALSE(once_asleep("magpie-", GetParam() + 1).empty()) << "somebody sees a job";
    EXPECT_EQ(jobs_of(home_), submitted);
  }

  scheduler home_{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(submission);

TEST_P(submission, nothing_is_lost_from_four_foreign_threads) {
  constexpr std::size_t threads = 4;
  constexpr std::size_t rounds = 10;  // so that all fit into the memory
  const std::size_t count = scaled(1e7) / rounds / threads;
  for (std::size_t round = 1; round <= rounds && !HasFailure(); ++round) {
    std::vector<jobs> all;
    for (std::size_t i = 0; i < threads; ++i) all.emplace_back(count);
    std::vector<std::thread> running;
    running.reserve(threads);
    for (jobs& mine : all) {
      running.emplace_back([&] {
        for (counted_job& each : mine) home_.submit(each);
      });
    }
    for (std::thread& each : running) each.join();
    for (const jobs& each : all) EXPECT_EQ(wrong_in(each), 0U);
    expect_that_nothing_is_left(round * count * threads);
  }
}

TEST_P(submission, nothing_is_lost_from_short_lived_threads) {
  constexpr std::size_t each_thread = 10;
  const std::size_t threads = scaled(1e4);
  jobs all(threads * each_thread);
  std::vector<std::thread> running(8);
  for (std::size_t i = 0; i < threads; ++i) {
    std::thread& thread = running[i % running.size()];
    if (thread.joinable()) thread.join();
    thread = std::thread([&, first = i * each_thread] {
      for (std::size_t k = first; k < first + each_thread; ++k) home_.submit(all[k]);
    });
  }
  for (std::thread& each : running) {
    if (each.joinable()) each.join();
  }
  EXPECT_EQ(wrong_in(all), 0U);
  expect_that_nothing_is_left(all.size());
}

}  // namespace
