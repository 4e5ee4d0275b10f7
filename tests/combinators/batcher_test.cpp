#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <magpie/magpie.hpp>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::batcher;
using magpie::test::ends;
using magpie::test::eventually;

/// Doubles numbers and notes in which batches they came.
struct doubling {
  std::mutex lock;
  std::vector<std::vector<int>> batches;

  auto flush() {
    return [this](std::vector<int> items) -> magpie::task<std::vector<int>> {
      {
        const std::lock_guard guard(lock);
        batches.push_back(items);
      }
      co_await magpie::yield();
      for (int& each : items) each *= 2;
      co_return items;
    };
  }
  [[nodiscard]] std::size_t flushed() {
    const std::lock_guard guard(lock);
    return batches.size();
  }
};

class batchers : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(batchers);

template <class In, class Out>
magpie::task<Out> submit(batcher<In, Out>& to, In item) {
  Out result = co_await to.submit(std::move(item));
  co_return result;
}

// Rule 76: collects until N, and gives each submitter its own result.
TEST_P(batchers, flush_as_soon_as_there_are_enough) {
  doubling seen;
  batcher<int, int> doubled({.size = 10}, seen.flush());
  std::vector<magpie::task_handle<int>> handles;
  for (int i = 0; i < 100; ++i) handles.push_back(runtime.spawn(submit(doubled, i)));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ends(handles[static_cast<std::size_t>(i)]));
    EXPECT_EQ(handles[static_cast<std::size_t>(i)].result(), 2 * i);
  }
  std::vector<int> all;
  for (const auto& each : seen.batches) {
    EXPECT_LE(each.size(), 10U);
    all.insert(all.end(), each.begin(), each.end());
  }
  std::sort(all.begin(), all.end());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
}

// Rule 76: or until T after the first.
TEST_P(batchers, flush_when_the_first_has_waited_long_enough) {
  if (!is_virtual()) GTEST_SKIP() << "looks at exact times";
  doubling seen;
  batcher<int, int> doubled({.size = 100, .delay = 50ms}, seen.flush());
  const auto later = [&](magpie::duration when, int item) -> magpie::task<magpie::duration> {
    co_await magpie::sleep_for(when);
    const auto begin = magpie::now();
    EXPECT_EQ(co_await doubled.submit(item), 2 * item);
    co_return magpie::now() - begin;
  };
  std::vector<magpie::task<magpie::duration>> tasks;
  for (const int when : {1, 21, 51, 52, 100}) tasks.push_back(later(when * 1ms, when));
  const auto body = [&]() -> magpie::task<std::vector<magpie::duration>> {
    auto waited = co_await magpie::gather(std::move(tasks));
    co_return waited;
  };
  const auto waited = runtime.block_on(body());
  EXPECT_EQ(waited[0], 50ms);
  EXPECT_EQ(waited[1], 30ms);
  // At 51 ms the first batch is due, and the third submission comes: either may be first.
  EXPECT_TRUE(waited[2] == 0ms || waited[2] == 50ms);
  EXPECT_TRUE(waited[3] == 49ms || waited[3] == 50ms);
  EXPECT_EQ(seen.flushed(), 2U);
}

TEST_P(batchers, flush_what_is_there_in_time) {
  doubling seen;
  batcher<int, int> doubled({.size = 1000, .delay = 1ms}, seen.flush());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(runtime.block_on(submit(doubled, i)), 2 * i);
  EXPECT_EQ(seen.flushed(), 5U);
}

TEST_P(batchers, begin_a_batch_no_later_than_its_first_is_due) {
  if (!is_virtual()) GTEST_SKIP() << "looks at exact times";
  doubling seen;
  batcher<int, int> doubled({.size = 3, .delay = 1h}, seen.flush());
  std::vector<magpie::task_handle<int>> handles;
  for (int i = 0; i < 7; ++i) handles.push_back(runtime.spawn(submit(doubled, i)));
  runtime.run_for(1ms);
  EXPECT_EQ(seen.flushed(), 2U);
  runtime.run_for(2h);
  EXPECT_EQ(seen.flushed(), 3U);
  EXPECT_EQ(seen.batches.back().size(), 1U);
  for (const auto& each : handles) EXPECT_TRUE(each.done());
}

// Rule 76: a failing flush fails exactly its own batch.
TEST_P(batchers, a_flush_that_fails_fails_its_own_batch_only) {
  const auto flush = [](std::vector<int> items) -> magpie::task<std::vector<int>> {
    co_await magpie::yield();
    if (std::find(items.begin(), items.end(), 0) != items.end()) throw std::runtime_error("zero");
    if (std::find(items.begin(), items.end(), 1) != items.end()) items.push_back(0);
    co_return items;
  };
  batcher<int, int> same({.size = 2}, flush);
  for (const int first : {0, 2, 0, 1, 3}) {
    auto one = runtime.spawn(submit(same, first));
    auto other = runtime.spawn(submit(same, 7));
    ASSERT_TRUE(ends(one) && ends(other));
    if (first == 0) {
      EXPECT_THROW(one.result(), std::runtime_error);
      EXPECT_THROW(other.result(), std::runtime_error);
    } else if (first == 1) {
      EXPECT_THROW(one.result(), magpie::invalid_state) << "three results for two";
      EXPECT_THROW(other.result(), magpie::invalid_state);
    } else {
      EXPECT_EQ(one.result(), first);
      EXPECT_EQ(other.result(), 7);
    }
  }
  using numbers = batcher<int, int>;
  EXPECT_THROW(numbers({.size = 0}, flush), magpie::invalid_state);
}

// Rule 76: a cancelled submitter leaves a batch that has not begun.
TEST_P(batchers, who_is_cancelled_before_the_batch_begins_leaves_it) {
  doubling seen;
  batcher<int, int> doubled({.size = 3}, seen.flush());
  auto gone = runtime.spawn(submit(doubled, 1));
  ASSERT_TRUE(nothing_runs());
  auto stays = runtime.spawn(submit(doubled, 2));
  ASSERT_TRUE(nothing_runs());
  gone.cancel("enough");
  ASSERT_TRUE(ends(gone));
  EXPECT_EQ(magpie::test::reason_of(gone), "enough");
  auto third = runtime.spawn(submit(doubled, 3));
  ASSERT_TRUE(nothing_runs());
  EXPECT_EQ(seen.flushed(), 0U);
  auto fourth = runtime.spawn(submit(doubled, 4));
  ASSERT_TRUE(ends(stays) && ends(third) && ends(fourth));
  EXPECT_EQ(stays.result(), 4);
  EXPECT_EQ(fourth.result(), 8);
  EXPECT_EQ(seen.batches, (std::vector<std::vector<int>>{{2, 3, 4}}));
}

TEST_P(batchers, when_all_have_left_nothing_is_flushed) {
  // Longer each time, for this thread may be held up until the batch is due.
  for (auto pause = 5ms;; pause *= 2) {
    doubling seen;
    batcher<int, int> doubled({.size = 3, .delay = pause}, seen.flush());
    const auto begin = runtime.now();
    auto gone = runtime.spawn(submit(doubled, 1));
    ASSERT_TRUE(eventually([&] { return runtime.all_tasks().size() == 2 || gone.done(); }));
    gone.cancel();
    const bool in_time = runtime.now() - begin < pause;
    ASSERT_TRUE(ends(gone));
    ASSERT_TRUE(eventually([&] { return runtime.all_tasks().empty(); }));
    if (!in_time) continue;
    EXPECT_TRUE(gone.cancelled());
    EXPECT_EQ(seen.flushed(), 0U);
    EXPECT_EQ(runtime.block_on(submit(doubled, 4)), 8);
    return;
  }
}

TEST_P(batchers, a_cancel_during_the_flush_leaves_the_others_their_results) {
  std::atomic<bool> began{false};
  magpie::semaphore go_on(0);
  const auto flush = [&](std::vector<int> items) -> magpie::task<std::vector<int>> {
    began = true;
    (co_await go_on.acquire()).detach();
    co_return items;
  };
  batcher<int, int> same({.size = 3}, flush);
  std::vector<magpie::task_handle<int>> handles;
  for (int i = 0; i < 3; ++i) handles.push_back(runtime.spawn(submit(same, i)));
  ASSERT_TRUE(eventually([&] { return began || is_virtual(); }));
  ASSERT_TRUE(nothing_runs());
  handles[1].cancel();
  ASSERT_TRUE(ends(handles[1])) << "at once";
  EXPECT_TRUE(handles[1].cancelled());
  EXPECT_FALSE(handles[0].done());
  go_on.release();
  ASSERT_TRUE(ends(handles[0]) && ends(handles[2]));
  EXPECT_EQ(handles[0].result(), 0);
  EXPECT_EQ(handles[2].result(), 2);
}

TEST_P(batchers, of_what_can_only_be_moved) {
  using owned = std::unique_ptr<int>;
  const auto flush = [](std::vector<owned> items) -> magpie::task<std::vector<owned>> {
    for (auto& each : items) ++*each;
    co_return items;
  };
  batcher<owned, owned> increased({.size = 1}, flush);
  EXPECT_EQ(*runtime.block_on(submit(increased, std::make_unique<int>(6))), 7);
}

/// Calls a function when it is moved.
struct noticing {
  noticing(int own_number, std::function<void(int)>& moved)
      : number(own_number), when_moved(&moved) {}
  noticing(noticing&& other) : noticing(other.number, *other.when_moved) { (*when_moved)(number); }

  int number;
  std::function<void(int)>* when_moved;
};

// Rule 94: no lock is held while a user's object is moved.
TEST_P(batchers, may_be_used_by_an_item_that_is_moved) {
  std::function<void(int)> when_moved = [](int) {};
  const auto flush = [](std::vector<noticing> items) -> magpie::task<std::vector<int>> {
    std::vector<int> numbers;
    for (const noticing& each : items) numbers.push_back(each.number);
    co_return numbers;
  };
  batcher<noticing, int> same({.size = 3}, flush);
  std::vector<magpie::task_handle<int>> handles;
  for (int i = 0; i < 2; ++i) {
    handles.push_back(runtime.spawn(submit(same, noticing(i, when_moved))));
  }
  ASSERT_TRUE(nothing_runs());
  std::atomic<bool> has_cancelled{false};
  when_moved = [&](int number) {
    if (number != 0 || has_cancelled.exchange(true)) return;
    EXPECT_TRUE(handles[0].cancel("while it is moved"));
    EXPECT_TRUE(handles[1].cancel("just before"));
  };
  const auto last = runtime.spawn(submit(same, noticing(2, when_moved)));
  ASSERT_TRUE(ends(last) && ends(handles[0]) && ends(handles[1]));
  EXPECT_EQ(magpie::test::reason_of(handles[0]), "while it is moved");
  EXPECT_EQ(magpie::test::reason_of(handles[1]), "just before");
  EXPECT_EQ(last.result(), 2);
  EXPECT_TRUE(has_cancelled);
}

TEST_P(batchers, an_item_that_cannot_be_moved_fails_no_other_batch) {
  std::function<void(int)> when_moved = [](int) {};
  const auto flush = [](std::vector<noticing> items) -> magpie::task<std::vector<int>> {
    co_return std::vector<int>(items.size(), 7);
  };
  batcher<noticing, int> sevens({.size = 2}, flush);
  const auto first = runtime.spawn(submit(sevens, noticing(0, when_moved)));
  ASSERT_TRUE(nothing_runs());
  when_moved = [](int number) {
    if (number == 0) throw std::runtime_error("cannot be moved");
  };
  const auto second = runtime.spawn(submit(sevens, noticing(1, when_moved)));
  ASSERT_TRUE(ends(first) && ends(second));
  EXPECT_THROW(first.result(), std::runtime_error);
  EXPECT_THROW(second.result(), std::runtime_error) << "it would have come behind that";
  const auto third = runtime.spawn(submit(sevens, noticing(2, when_moved)));
  const auto fourth = runtime.spawn(submit(sevens, noticing(3, when_moved)));
  ASSERT_TRUE(ends(third) && ends(fourth));
  EXPECT_EQ(third.result() + fourth.result(), 14);
}

TEST_P(batchers, submissions_and_cancels_at_random) {
  std::mt19937_64 random(seed());
  std::atomic<std::size_t> flushed{0};
  const auto flush = [&](std::vector<int> items) -> magpie::task<std::vector<int>> {
    EXPECT_LE(items.size(), 7U);
    flushed += items.size();
    co_await magpie::yield();
    co_return items;
  };
  std::size_t answered = 0;
  {
    batcher<int, int> same({.size = 7, .delay = 1ms}, flush);
    for (int round = 0; round < 50; ++round) {
      std::vector<magpie::task_handle<int>> handles;
      for (int i = 0; i < 40; ++i) handles.push_back(runtime.spawn(submit(same, i)));
      if (is_virtual()) {
        for (auto steps = random() % 100; steps != 0; --steps) {
          static_cast<void>(runtime.poll_one());
        }
      }
      for (auto& each : handles) {
        if (random() % 2 == 0) each.cancel();
      }
      for (int i = 0; i < 40; ++i) {
        auto& each = handles[static_cast<std::size_t>(i)];
        ASSERT_TRUE(ends(each));
        if (each.cancelled()) continue;
        EXPECT_EQ(each.result(), i);
        ++answered;
      }
    }
  }
  EXPECT_GE(flushed, answered);
}

TEST(batcher_death_test, destroyed_while_somebody_waits) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto destroy_too_early = [] {
    magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
    doubling seen;
    batcher<int, int> doubled({.size = 2}, seen.flush());
    const auto handle = runtime.spawn(submit(doubled, 1));
    runtime.run_until_idle();
    doubled.~batcher();
  };
  EXPECT_DEATH(destroy_too_early(), "nobody to wait for a batcher that is destroyed");
}

}  // namespace
