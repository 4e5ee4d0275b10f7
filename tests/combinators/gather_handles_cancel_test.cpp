#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/gather.hpp>
#include <magpie/magpie.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/handles.hpp"
#include "support/reports.hpp"
#include "support/run.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

// A gather of spawned tasks that is cancelled, or whose children are.

namespace {

using namespace std::chrono_literals;
using magpie::task_handle;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::handles_of_int;
using magpie::test::reason_of;
using magpie::test::run;
using magpie::test::scaled;
using magpie::test::sleep_and_give;
using magpie::test::swallow;

class cancellable_gather_handles : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(cancellable_gather_handles);

class cancellable_gather_handles_reports : public magpie::test::reporting {};
MAGPIE_FOR_EACH_RUNTIME(cancellable_gather_handles_reports);

// Rule 33: a child cancelled by itself: gather fails with cancelled, and is not itself cancelled.

TEST_P(cancellable_gather_handles, with_a_child_that_is_cancelled_alone_throws_cancelled) {
  const auto slow = runtime.spawn(sleep_and_give(1));
  run(runtime, [&]() -> magpie::task<> {
    const auto other = magpie::spawn(sleep_and_give(2));
    const auto stopper = magpie::spawn([](task_handle<int> which) -> magpie::task<> {
      co_await magpie::sleep_for(1ms);
      which.cancel("only you");
    }(other));
    std::string reason;
    try {
      co_await magpie::gather(slow, other);
    } catch (const magpie::cancelled& stopped) {
      reason = stopped.reason();
    }
    EXPECT_EQ(reason, "only you");
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    co_await magpie::sleep_for(1ms);
  });
  EXPECT_FALSE(slow.done());
  slow.cancel();
}

// Rule 35: cancelling gather cancels all unfinished children, waits for them, throws cancelled.

TEST_P(cancellable_gather_handles_reports,
       that_is_cancelled_cancels_its_children_and_waits_for_them) {
  for (const bool returns_exceptions : {false, true}) {
    std::atomic<int> told{0};
    std::atomic<int> ended{0};
    std::atomic<int> begun{0};
    const auto end_late = [&](bool fails) -> magpie::task<int> {
      ++begun;
      const std::string reason = co_await swallow();
      EXPECT_EQ(reason, "all of you");
      ++told;
      co_await magpie::sleep_for(1ms);
      ++ended;
      if (fails) throw std::runtime_error("late");
      co_return 1;
    };
    const auto gather_all = [&]() -> magpie::task<> {
      handles_of_int all;
      const auto finished = magpie::spawn(give(1));
      co_await finished;
      all.push_back(finished);
      for (int i = 0; i < 20; ++i) all.push_back(magpie::spawn(end_late(i % 2 == 0)));
      all.push_back(all.back());
      if (returns_exceptions) {
        const auto outcomes = co_await magpie::gather(magpie::return_exceptions, std::move(all));
      } else {
        co_await magpie::gather(std::move(all));
      }
      ADD_FAILURE() << "went on";
    };
    const auto handle = runtime.spawn(gather_all());
    EXPECT_TRUE(eventually([&] { return begun == 20; }));
    EXPECT_TRUE(handle.cancel("all of you"));
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(reason_of(handle), "all of you");
    EXPECT_EQ(told, 20);
    EXPECT_EQ(ended, 20);
  }
}

TEST_P(cancellable_gather_handles, tells_each_child_once_though_a_lock_is_not_to_be_had) {
  const auto first = runtime.spawn(swallow());
  const auto held = runtime.spawn(swallow());
  const auto last = runtime.spawn(swallow());
  const auto gather_all = [&]() -> magpie::task<> { co_await magpie::gather(first, held, last); };
  const auto handle = runtime.spawn(gather_all());
  ASSERT_TRUE(nothing_runs());
  magpie::detail::cancel_scope& scope = magpie::detail::handle_access::state(held);
  scope.lock();
  std::thread canceller([&] { EXPECT_TRUE(handle.cancel("all of you")); });
  // Without running tasks meanwhile: a virtual time would jump, and wake what is held.
  while (first.cancelling() != 1) std::this_thread::yield();
  EXPECT_EQ(last.cancelling(), 0U);
  scope.unlock();
  canceller.join();
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  for (const auto& each : {first, held, last}) {
    EXPECT_EQ(each.result(), "all of you");
    EXPECT_EQ(each.cancelling(), 1U);
  }
}

TEST_P(cancellable_gather_handles, that_was_cancelled_before_it_began_passes_it_on) {
  const auto one = runtime.spawn(swallow());
  const auto two = runtime.spawn(sleep_and_give(2));
  ASSERT_TRUE(nothing_runs());
  const auto gather_both = [&]() -> magpie::task<> {
    magpie::current_task().cancel("before");
    co_await magpie::gather(one, two);
    ADD_FAILURE() << "went on";
  };
  const auto handle = runtime.spawn(gather_both());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "before");
  ASSERT_TRUE(one.done());
  EXPECT_EQ(one.result(), "before");
  ASSERT_TRUE(two.done());
  EXPECT_TRUE(two.cancelled());
}

TEST_P(cancellable_gather_handles, within_a_timeout_cancels_when_the_time_is_over) {
  run(runtime, [&]() -> magpie::task<> {
    const auto one = magpie::spawn(sleep_and_give(1));
    const auto two = magpie::spawn(sleep_and_give(2));
    const auto gather_both = [&]() -> magpie::task<> { co_await magpie::gather(one, two); };
    bool is_over = false;
    try {
      co_await magpie::wait_for(gather_both(), 1ms);
    } catch (const magpie::timeout_error&) {
      is_over = true;
    }
    EXPECT_TRUE(is_over);
    EXPECT_TRUE(one.cancelled());
    EXPECT_TRUE(two.cancelled());
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
  });
}

// Rule 36: when all children are done.

TEST_P(cancellable_gather_handles, after_the_end_keeps_the_results) {
  const auto gather_two = []() -> magpie::task<int> {
    const auto both = co_await magpie::gather(magpie::spawn(give(1)), magpie::spawn(give(2)));
    co_return std::get<0>(both) + std::get<1>(both);
  };
  const auto handle = runtime.spawn(gather_two());
  ASSERT_TRUE(ends(handle));
  EXPECT_FALSE(handle.cancel());
  EXPECT_EQ(handle.result(), 3);
}

// Children end, fail and are cancelled at any moment, and so is who gathers them.

TEST_P(cancellable_gather_handles_reports, that_race_with_everything) {
  std::mt19937_64 random(seed());
  const std::size_t rounds = scaled(50'000);
  const auto child = [](int kind, magpie::duration delay, counted) -> magpie::task<int> {
    co_await magpie::sleep_for(delay);
    if (kind == 0) throw std::runtime_error("failed");
    co_return kind;
  };
  const auto gather_all = [](handles_of_int all, bool returns) -> magpie::task<std::size_t> {
    if (returns) {
      const auto outcomes = co_await magpie::gather(magpie::return_exceptions, std::move(all));
      co_return outcomes.size();
    }
    const std::vector<int> results = co_await magpie::gather(std::move(all));
    co_return results.size();
  };
  for (std::size_t round = 0; round < rounds; ++round) {
    handles_of_int all;
    for (int i = 0; i < 6; ++i) {
      all.push_back(runtime.spawn(
          child(static_cast<int>(random() % 12), magpie::duration(random() % 60'000), counted())));
    }
    const bool returns = random() % 2 == 0;
    const auto handle = runtime.spawn(gather_all(all, returns));
    if (random() % 4 == 0) all[random() % 6].cancel();
    bool was_cancelled = false;
    if (random() % 2 == 0) {
      const auto end = magpie::clock::now() + magpie::duration(random() % 60'000);
      while (!is_virtual() && magpie::clock::now() < end) {
      }
      if (is_virtual()) runtime.run_for(magpie::duration(random() % 60'000));
      was_cancelled = handle.cancel();
    }
    ASSERT_TRUE(ends(handle));
    if (!handle.cancelled()) {
      const bool has_failed = handle.exception() != nullptr;
      ASSERT_FALSE(has_failed && returns);
      ASSERT_FALSE(was_cancelled && !has_failed);
    }
    for (const auto& each : all) {
      ASSERT_TRUE(ends(each));
      if (!each.cancelled()) static_cast<void>(each.exception());
    }
  }
  EXPECT_TRUE(eventually([] { return counted::alive() == 0; }));
}

// Tasks that await each other in a ring: the one before the one that is cancelled goes first.

TEST_P(cancellable_gather_handles, in_a_ring_end_when_one_is_cancelled) {
  for (const std::size_t asked : {std::size_t{0}, std::size_t{1}}) {
    handles_of_int ring;
    std::atomic<bool> is_closed{false};
    const auto gather_other = [&](std::size_t place) -> magpie::task<int> {
      while (!is_closed) co_await magpie::yield();
      const handles_of_int other{ring[1 - place]};
      const std::vector<int> results = co_await magpie::gather(other);
      co_return results.front();
    };
    ring.push_back(runtime.spawn(gather_other(0)));
    ring.push_back(runtime.spawn(gather_other(1)));
    is_closed = true;
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(ring[asked].cancel("enough"));
    for (const auto& each : ring) {
      ASSERT_TRUE(ends(each));
      EXPECT_EQ(reason_of(each), "enough");
    }
  }
}

}  // namespace
