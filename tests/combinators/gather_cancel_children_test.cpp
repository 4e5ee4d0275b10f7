#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <magpie/errors.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/gather.hpp>
#include <magpie/magpie.hpp>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/tasks.hpp"

// What the children of a cancelled gather are told, and what they may do then.

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::reason_of;

class cancelled_gather : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(cancelled_gather);

/// What the children of one gather did.
struct tally {
  std::atomic<std::size_t> began{0};
  std::atomic<std::size_t> told{0};
  std::atomic<std::size_t> told_twice{0};
  std::atomic<std::size_t> ended{0};
};

/// Awaits all kinds of things after it was told, each of which must do what it always does.
magpie::task<> clean_up(tally& seen) {
  try {
    for (int i = 0; i < 3; ++i) co_await magpie::yield();
    co_await magpie::sleep_for(0s);
    co_await magpie::sleep_for(100us);
    const int one = co_await magpie::spawn(give(1));
    EXPECT_EQ(one, 1);
    const auto yield_once = []() -> magpie::task<int> {
      co_await magpie::yield();
      co_await magpie::sleep_for(50us);
      co_return 2;
    };
    const auto both = co_await magpie::gather(yield_once(), yield_once());
    EXPECT_EQ(std::get<0>(both) + std::get<1>(both), 4);
    std::vector<magpie::task<int>> many;
    for (int i = 0; i < 20; ++i) many.push_back(yield_once());
    const auto results = co_await magpie::gather(std::move(many));
    EXPECT_EQ(results.size(), 20U);
  } catch (const magpie::cancelled&) {
    ++seen.told_twice;
  }
}

enum class answer { rethrows, swallows, fails };

/// Sleeps until told, cleans up, and then gives that answer.
magpie::task<int> child(tally& seen, answer last, counted) {
  ++seen.began;
  std::exception_ptr stopped;
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled& reason) {
    EXPECT_EQ(reason.reason(), "all of you");
    stopped = std::current_exception();
    ++seen.told;
  }
  co_await clean_up(seen);
  ++seen.ended;
  if (last == answer::fails) throw std::runtime_error("child");
  if (last == answer::rethrows) std::rethrow_exception(std::move(stopped));
  co_return 1;
}

/// The task that awaits `children` of them, and in the end yields and sleeps undisturbed.
magpie::task<std::string> gather_and_swallow(tally& seen, std::size_t children, answer last) {
  std::string reason = "(a result)";
  std::vector<magpie::task<int>> bodies;
  for (std::size_t i = 0; i < children; ++i) bodies.push_back(child(seen, last, counted()));
  try {
    co_await magpie::gather(std::move(bodies));
  } catch (const magpie::cancelled& stopped) {
    reason = stopped.reason();
  } catch (const std::runtime_error& failed) {
    reason = failed.what();
  }
  EXPECT_EQ(seen.ended, children) << "one of the children was left behind";
  co_await clean_up(seen);
  co_return reason;
}

// Rule 35: cancelling gather cancels all children, waits for them, and throws cancelled, whatever
// they make of it. Rule 24: the reason comes through.

TEST_P(cancelled_gather, tells_each_child_once_and_waits_for_all) {
  const auto frames = magpie::frame_statistics().live;
  for (const answer last : {answer::rethrows, answer::swallows, answer::fails}) {
    for (const std::size_t children : {1U, 2U, 16U, 17U, 40U, 500U}) {
      tally seen;
      const auto handle = runtime.spawn(gather_and_swallow(seen, children, last));
      EXPECT_TRUE(eventually([&] { return seen.began == children; }));
      EXPECT_TRUE(handle.cancel("all of you"));
      ASSERT_TRUE(ends(handle));
      EXPECT_EQ(handle.result(), "all of you");
      EXPECT_EQ(handle.cancelling(), 1U);
      EXPECT_EQ(seen.told, children);
      EXPECT_EQ(seen.told_twice, 0U);
      EXPECT_EQ(counted::alive(), 0);
    }
  }
  EXPECT_TRUE(eventually([&] { return magpie::frame_statistics().live == frames; }));
}

TEST_P(cancelled_gather, tells_the_children_of_a_tuple) {
  tally seen;
  const auto gather_three = [&]() -> magpie::task<int> {
    const auto three = co_await magpie::gather(child(seen, answer::swallows, counted()),
                                               child(seen, answer::rethrows, counted()),
                                               child(seen, answer::fails, counted()));
    co_return std::get<0>(three);
  };
  const auto handle = runtime.spawn(gather_three());
  const auto awaits_handle = [&]() -> magpie::task<int> {
    const int value = co_await handle;
    co_return value;
  };
  const auto awaiter = runtime.spawn(awaits_handle());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(awaiter.cancel("all of you"));
  ASSERT_TRUE(ends(awaiter));
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(reason_of(handle), "all of you");
  EXPECT_EQ(reason_of(awaiter), "all of you");
  EXPECT_EQ(seen.told, 3U);
  EXPECT_EQ(seen.told_twice, 0U);
  EXPECT_EQ(seen.ended, 3U);
}

TEST_P(cancelled_gather, tells_the_leaves_of_a_tree_and_each_gather_above) {
  struct tree {
    static magpie::task<std::size_t> below(tally& seen, tally& inner, std::size_t levels) {
      if (levels == 0) {
        const auto one = co_await child(seen, answer::swallows, counted());
        co_return static_cast<std::size_t>(one);
      }
      std::vector<magpie::task<std::size_t>> bodies;
      for (int i = 0; i < 18; ++i) bodies.push_back(below(seen, inner, levels - 1));
      bool told = false;
      try {
        co_await magpie::gather(std::move(bodies));
      } catch (const magpie::cancelled& stopped) {
        EXPECT_EQ(stopped.reason(), "all of you");
        told = true;
      }
      inner.told += told ? 1 : 0;
      co_await clean_up(inner);
      co_return std::size_t{0};
    }
  };
  const auto frames = magpie::frame_statistics().live;
  {
    tally leaves;
    tally inner;
    const auto handle = runtime.spawn(tree::below(leaves, inner, 2));
    EXPECT_TRUE(eventually([&] { return leaves.began == 18 * 18; }));
    EXPECT_TRUE(handle.cancel("all of you"));
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(handle.result(), 0U);
    EXPECT_EQ(leaves.told, 18U * 18);
    EXPECT_EQ(leaves.told_twice, 0U);
    EXPECT_EQ(inner.told, 18U + 1);
    EXPECT_EQ(inner.told_twice, 0U);
  }
  EXPECT_TRUE(eventually([&] { return magpie::frame_statistics().live == frames; }));
}

}  // namespace
