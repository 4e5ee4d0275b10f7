#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/errors.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/gather.hpp>
#include <magpie/magpie.hpp>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

// A gather of lazy tasks that is cancelled, or whose children are.

namespace {

using namespace std::chrono_literals;
using magpie::test::announced_seed;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::give_when;
using magpie::test::reason_of;
using magpie::test::scaled;
using magpie::test::sleep_and_give;
using magpie::test::stop;
using magpie::test::swallow;

class gather_cancel : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(gather_cancel);

class gather_cancel_by_threads : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_WORKER_COUNT(gather_cancel_by_threads);

class gather_cancel_on_one_worker : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

// Rule 35, whatever the children are doing.

TEST_P(gather_cancel, passes_on_to_the_handles_that_children_await) {
  const auto awaited = runtime.spawn(sleep_and_give(1));
  const auto swallowing = runtime.spawn(swallow());
  const auto await_first = [&]() -> magpie::task<int> {
    const int value = co_await awaited;
    co_return value;
  };
  const auto await_second = [&]() -> magpie::task<std::string> {
    const std::string reason = co_await swallowing;
    co_await magpie::yield();
    co_return reason;
  };
  const auto gather_both = [&]() -> magpie::task<> {
    co_await magpie::gather(await_first(), await_second(), await_first());
  };
  const auto handle = runtime.spawn(gather_both());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("both"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "both");
  EXPECT_EQ(reason_of(awaited), "both");
  ASSERT_TRUE(swallowing.done());
  EXPECT_EQ(swallowing.result(), "both");
}

TEST_P(gather_cancel_by_threads, throws_although_all_children_go_on_to_their_results) {
  // The children compute when the request comes, and never suspend again.
  std::atomic<int> computing{0};
  std::atomic<bool> open{false};
  const auto compute = [&]() -> magpie::task<int> {
    ++computing;
    while (!open) std::this_thread::yield();
    co_return 1;
  };
  const auto gather_two = [&]() -> magpie::task<> {
    co_await magpie::gather(compute(), compute());
    ADD_FAILURE() << "went on";
  };
  const auto handle = runtime.spawn(gather_two());
  EXPECT_TRUE(eventually([&] { return computing >= 1; }));
  EXPECT_TRUE(handle.cancel("late"));
  open = true;
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(computing, 2);
  EXPECT_EQ(reason_of(handle), "late");
}

TEST_F(gather_cancel_on_one_worker, tells_children_that_had_not_begun_at_their_first_suspension) {
  constexpr std::size_t children = 40;
  std::size_t began = 0;
  std::size_t told = 0;
  const auto ask_or_sleep = [&](std::size_t index) -> magpie::task<> {
    ++began;
    if (index == 0) {
      EXPECT_TRUE(magpie::current_task().cancel("stop"));
    }
    if (index % 2 == 1) co_return;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled& stopped) {
      EXPECT_EQ(stopped.reason(), "stop");
      ++told;
    }
  };
  const auto gather_all = [&]() -> magpie::task<> {
    std::vector<magpie::task<>> bodies;
    for (std::size_t i = 0; i < children; ++i) bodies.push_back(ask_or_sleep(i));
    co_await magpie::gather(std::move(bodies));
    ADD_FAILURE() << "went on";
  };
  EXPECT_THROW(runtime.block_on(gather_all()), magpie::cancelled);
  EXPECT_EQ(began, children);
  EXPECT_EQ(told, children / 2);
}

TEST_P(gather_cancel, that_was_asked_for_before_starts_no_child) {
  bool began = false;
  const auto begin = [&](counted) -> magpie::task<int> {
    began = true;
    co_return 1;
  };
  const auto ask_first = [&]() -> magpie::task<int> {
    EXPECT_TRUE(magpie::current_task().cancel("no need"));
    std::string reasons;
    try {
      co_await magpie::gather(begin(counted()), begin(counted()));
    } catch (const magpie::cancelled& stopped) {
      reasons += stopped.reason();
    }
    EXPECT_TRUE(magpie::current_task().cancel("not at all"));
    std::vector<magpie::task<int>> many;
    for (int i = 0; i < 20; ++i) many.push_back(begin(counted()));
    try {
      co_await magpie::gather(std::move(many));
    } catch (const magpie::cancelled& stopped) {
      reasons += " " + stopped.reason();
    }
    EXPECT_EQ(reasons, "no need not at all");
    EXPECT_FALSE(began);
    const auto both = co_await magpie::gather(begin(counted()), give(1));
    co_return std::get<0>(both) + std::get<1>(both);
  };
  const auto handle = runtime.spawn(ask_first());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), 2) << "later gathers are left alone";
  EXPECT_EQ(counted::alive(), 0);
}

// Rules 91, 92: a second request is delivered to children that clean up after the first.

TEST_P(gather_cancel, again_during_the_cleanup_interrupts_the_cleanup) {
  std::atomic<std::size_t> began{0};
  std::atomic<std::size_t> cleaning{0};
  const auto awaited = runtime.spawn(magpie::test::sleep_long());
  const auto clean_up_for_long = [&](int kind) -> magpie::task<> {
    ++began;
    EXPECT_EQ(co_await swallow(), "first");
    ++cleaning;
    std::string second;
    try {
      if (kind == 0) co_await awaited;
      while (kind == 1) co_await magpie::yield();
      if (kind == 2) co_await magpie::sleep_for(1000h);
      while (kind == 3) co_await magpie::checkpoint();
    } catch (const magpie::cancelled& stopped) {
      second = stopped.reason();
    }
    EXPECT_EQ(second, "second") << kind;
    co_await magpie::yield();
    co_await magpie::sleep_for(100us);  // neither is delivered again
  };
  constexpr std::size_t children = 20;
  const auto gather_all = [&]() -> magpie::task<std::string> {
    std::vector<magpie::task<>> bodies;
    for (std::size_t i = 0; i < children; ++i) {
      bodies.push_back(clean_up_for_long(static_cast<int>(i % 4)));
    }
    std::string reason;
    try {
      co_await magpie::gather(std::move(bodies));
    } catch (const magpie::cancelled& stopped) {
      reason = stopped.reason();
    }
    co_await magpie::yield();
    co_await magpie::sleep_for(100us);
    co_return reason;
  };
  const auto handle = runtime.spawn(gather_all());
  EXPECT_TRUE(eventually([&] { return began == children; }));
  EXPECT_TRUE(handle.cancel("first"));
  EXPECT_TRUE(eventually([&] { return cleaning == children; }));
  EXPECT_TRUE(handle.cancel("second"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "second") << "delivered once";
  EXPECT_EQ(handle.cancelling(), 2U);
  ASSERT_TRUE(ends(awaited));
  EXPECT_TRUE(awaited.cancelled());
}

// Rule 33: a child cancelled by itself.

TEST_P(gather_cancel, of_a_child_alone_fails_the_gather_and_cancels_nobody_else) {
  std::atomic<bool> sibling_ended{false};
  const auto sibling = [&]() -> magpie::task<int> {
    for (int i = 0; i < 20; ++i) co_await magpie::yield();
    co_await magpie::sleep_for(200us);
    sibling_ended = true;
    co_return 1;
  };
  const auto awaited = runtime.spawn(sleep_and_give(1));
  const auto await_cancelled = [&]() -> magpie::task<int> {
    awaited.cancel("only me");
    const int value = co_await awaited;
    co_return value;
  };
  const auto gather_both = [&](bool thrown) -> magpie::task<std::string> {
    std::string reason = "(a result)";
    try {
      if (thrown) co_await magpie::gather(stop("only me"), sibling());
      if (!thrown) co_await magpie::gather(await_cancelled(), sibling());
    } catch (const magpie::cancelled& stopped) {
      reason = stopped.reason();
    }
    EXPECT_TRUE(sibling_ended);
    co_await magpie::yield();
    co_await magpie::sleep_for(100us);
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    co_return reason;
  };
  for (const bool thrown : {true, false}) {
    sibling_ended = false;
    const auto handle = runtime.spawn(gather_both(thrown));
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(handle.result(), "only me");
    EXPECT_FALSE(handle.cancelled());
  }
}

// Rule 36: when all children are done.

TEST_P(gather_cancel, after_the_end_says_false_and_leaves_the_results) {
  const auto gather_two = []() -> magpie::task<int> {
    const auto both = co_await magpie::gather(give(1), give(2));
    co_return std::get<0>(both) + std::get<1>(both);
  };
  const auto handle = runtime.spawn(gather_two());
  ASSERT_TRUE(ends(handle));
  EXPECT_FALSE(handle.cancel());
  EXPECT_EQ(handle.result(), 3);
  EXPECT_EQ(handle.cancelling(), 0U);
}

TEST_P(gather_cancel_by_threads, that_races_with_the_children_is_answered_by_one_outcome) {
  // From before the first child to after the last: children that sleep, yield, gather and compute.
  struct tree {
    static magpie::task<int> below(std::size_t seed, int levels, counted) {
      std::mt19937_64 random(seed);
      if (random() % 3 == 0) co_await magpie::yield();
      if (random() % 8 == 0) co_await magpie::sleep_for(magpie::duration(random() % 100'000));
      if (levels == 0) co_return 1;
      std::vector<magpie::task<int>> bodies;
      for (int i = 0; i < 5; ++i) bodies.push_back(below(random(), levels - 1, counted()));
      const auto counts = co_await magpie::gather(std::move(bodies));
      int sum = 0;
      for (const int each : counts) sum += each;
      co_return sum;
    }
  };
  const auto frames = magpie::frame_statistics().live;
  std::mt19937_64 random(announced_seed());
  std::size_t won = 0;
  const std::size_t rounds = scaled(50'000);
  for (std::size_t round = 0; round < rounds; ++round) {
    const auto handle = runtime.spawn(tree::below(random(), 3, counted()));
    const auto end = magpie::clock::now() + magpie::duration(random() % 400'000);
    while (magpie::clock::now() < end && !handle.done()) std::this_thread::yield();
    const bool told = handle.cancel("now");
    ASSERT_TRUE(ends(handle));
    ASSERT_EQ(handle.cancelled(), told);
    if (told) {
      ASSERT_EQ(reason_of(handle), "now");
      ++won;
    } else {
      ASSERT_EQ(handle.result(), 125);
    }
  }
  RecordProperty("cancelled", std::to_string(won));
  EXPECT_TRUE(eventually([] { return counted::alive() == 0; }));
  EXPECT_TRUE(eventually([&] { return magpie::frame_statistics().live == frames; }));
}

}  // namespace
