#include <magpie/as_completed.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/frame_statistics.hpp>
#include <magpie/magpie.hpp>
#include <optional>
#include <random>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/eventually.hpp"
#include "support/handles.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::ends;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after;
using magpie::test::give_after_yields;
using magpie::test::handles_of_int;
using magpie::test::reason_of;
using magpie::test::scaled;
using magpie::test::sleep_and_give;

class as_completed : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(as_completed);

template <class Body>
void run(magpie::runtime& runtime, const Body& body) {
  runtime.block_on(body());
}

// Rule 56: in order of completion; the original handles; nothing for none.

TEST_P(as_completed, gives_the_original_handles_in_order_of_completion) {
  run(runtime, [&]() -> magpie::task<> {
    const auto third = magpie::spawn(give_after(3h, 3));
    const auto first = magpie::spawn(give_after(1h, 1));
    const auto second = magpie::spawn(give_after(2h, 2));
    const auto zeroth = magpie::spawn(give(0));
    co_await zeroth;
    const handles_of_int all{third, first, second, zeroth};
    auto finished = magpie::as_completed(all);
    EXPECT_EQ(finished.remaining(), 4U);
    const handles_of_int expected{zeroth, first, second, third};
    handles_of_int order;
    while (auto next = co_await finished.next()) {
      order.push_back(*next);
      // By the clock nobody waits for hours: each ends by a cancel when those before have come.
      if (!is_virtual() && order.size() < expected.size()) expected[order.size()].cancel();
    }
    EXPECT_EQ(order, expected);
    const auto after = co_await finished.next();
    EXPECT_FALSE(after.has_value());
    EXPECT_EQ(finished.remaining(), 0U);
  });
}

TEST_P(as_completed, of_none_gives_nothing) {
  run(runtime, [&]() -> magpie::task<> {
    auto finished = magpie::as_completed(handles_of_int(), 1s);
    const auto next = co_await finished.next();
    EXPECT_FALSE(next.has_value());
  });
}

TEST_P(as_completed, gives_failures_and_a_handle_given_twice_once) {
  run(runtime, [&]() -> magpie::task<> {
    const auto failing = magpie::spawn(fail("boom"));
    const auto sleeping = magpie::spawn(sleep_and_give(1));
    const handles_of_int all{failing, sleeping, failing, sleeping};
    auto finished = magpie::as_completed(all);
    sleeping.cancel();
    std::size_t given = 0;
    while (auto next = co_await finished.next()) {
      ++given;
      EXPECT_TRUE(next->done());
      EXPECT_EQ(next->cancelled(), *next == sleeping);
    }
    EXPECT_EQ(given, 2U);
    EXPECT_NE(failing.exception(), nullptr);
  });
}

// Rule 57: at the timeout it throws, after those that have ended; the rest are not cancelled.

TEST_P(as_completed, throws_when_its_time_is_over_after_those_that_have_ended) {
  const auto slow = runtime.spawn(sleep_and_give(1));
  const auto one = runtime.spawn(give_after(1ms, 1));
  const auto two = runtime.spawn(give_after(2ms, 2));
  const auto begin = [&]() -> magpie::task<magpie::completion_stream<magpie::task_handle<int>>> {
    const handles_of_int all{slow, one, two};
    co_return magpie::as_completed(all, 50ms);
  };
  auto finished = runtime.block_on(begin());
  ASSERT_TRUE(ends(one) && ends(two));
  ASSERT_TRUE(nothing_runs());  // so the stream has heard of it, however late that may be
  run(runtime, [&]() -> magpie::task<> {
    co_await magpie::sleep_for(100ms);
    std::size_t given = 0;
    int timeouts = 0;
    for (int i = 0; i < 4; ++i) {
      try {
        const auto next = co_await finished.next();
        EXPECT_TRUE(next->done());
        ++given;
      } catch (const magpie::timeout_error&) {
        ++timeouts;
      }
    }
    EXPECT_EQ(given, 2U);
    EXPECT_EQ(timeouts, 2) << "once more each time it is asked";
    EXPECT_FALSE(slow.done());
    EXPECT_EQ(slow.cancelling(), 0U);
    slow.cancel();
  });
}

TEST_P(as_completed, throws_while_it_waits_when_the_time_is_over) {
  run(runtime, [&]() -> magpie::task<> {
    const auto slow = magpie::spawn(sleep_and_give(1));
    const handles_of_int one{slow};
    const auto start = magpie::now();
    auto finished = magpie::as_completed(one, 30ms);
    bool is_over = false;
    try {
      co_await finished.next();
    } catch (const magpie::timeout_error&) {
      is_over = true;
    }
    EXPECT_TRUE(is_over);
    EXPECT_GE(magpie::now() - start, 30ms);
    if (is_virtual()) {
      EXPECT_EQ(magpie::now() - start, 30ms);
    }
    EXPECT_FALSE(slow.done());
    slow.cancel();
    auto without_time = magpie::as_completed(one, 0s);
    try {
      const auto next = co_await without_time.next();
      EXPECT_TRUE(next->done());
    } catch (const magpie::timeout_error&) {
    }
  });
}

// Rule 58: stopped and resumed, destroyed early; the timer goes; any number.

TEST_P(as_completed, can_be_stopped_moved_and_resumed) {
  run(runtime, [&]() -> magpie::task<> {
    handles_of_int all;
    for (int i = 0; i < 10; ++i) all.push_back(magpie::spawn(give_after_yields(i, i)));
    auto finished = magpie::as_completed(all, 1000h);
    int sum = 0;
    for (int i = 0; i < 3; ++i) {
      const auto next = co_await finished.next();
      sum += next->result();
    }
    auto moved = std::move(finished);
    const auto go_on = [&]() -> magpie::task<> {
      while (auto next = co_await moved.next()) sum += next->result();
    };
    co_await magpie::spawn(go_on());
    EXPECT_EQ(sum, 45);
  });
}

TEST_P(as_completed, left_early_disarms_its_timer) {
  if (!is_virtual()) GTEST_SKIP() << "sees the timers";
  const auto slow = runtime.spawn(sleep_and_give(1));
  runtime.run_until_idle();
  const auto before = runtime.next_deadline();
  ASSERT_TRUE(before.has_value());
  const auto take_one = [&]() -> magpie::task<> {
    const handles_of_int both{slow, magpie::spawn(give_after(5min, 1))};
    auto finished = magpie::as_completed(both, 10min);
    const auto next = co_await finished.next();
    EXPECT_EQ(next->result(), 1);
  };
  runtime.block_on(take_one());
  EXPECT_EQ(runtime.next_deadline(), before);
  slow.cancel();
  ASSERT_TRUE(ends(slow));
}

TEST_P(as_completed, that_is_cancelled_has_taken_nothing) {
  const auto slow = runtime.spawn(sleep_and_give(1));
  const handles_of_int one{slow};
  auto finished = magpie::as_completed(one);
  const auto ask = [&]() -> magpie::task<int> {
    const auto next = co_await finished.next();
    co_return static_cast<int>(next->cancelled());
  };
  const auto first = runtime.spawn(ask());
  ASSERT_TRUE(nothing_runs());
  EXPECT_EQ(first.waiting_for(), "watched task \"" + slow.name() + "\"");
  EXPECT_THROW(runtime.block_on(ask()), magpie::invalid_state) << "one at a time";
  first.cancel("enough");
  ASSERT_TRUE(ends(first));
  EXPECT_EQ(reason_of(first), "enough");
  EXPECT_FALSE(slow.done());
  slow.cancel();
  EXPECT_EQ(runtime.block_on(ask()), 1);
}

TEST_P(as_completed, may_be_destroyed_anywhere) {
  const auto slow = runtime.spawn(sleep_and_give(1));
  {
    const handles_of_int one{slow};
    const auto finished = magpie::as_completed(one, 1h);
    EXPECT_EQ(finished.remaining(), 1U);
  }
  slow.cancel();
  ASSERT_TRUE(ends(slow));
}

TEST_P(as_completed, of_many_gives_each_once) {
  run(runtime, [&]() -> magpie::task<> {
    std::vector<magpie::task<int>> bodies;
    for (int i = 0; i < 20'000; ++i) bodies.push_back(give_after_yields(i, i % 3));
    auto finished = magpie::as_completed(magpie::spawn_many(std::move(bodies)), 1000h);
    std::vector<bool> seen(20'000);
    while (auto next = co_await finished.next()) {
      const auto value = static_cast<std::size_t>(next->result());
      EXPECT_FALSE(seen[value]);
      seen[value] = true;
    }
    EXPECT_EQ(std::ranges::count(seen, true), 20'000);
  });
}

// The tasks end while the stream is asked, left by a limit or a request, or destroyed.

TEST_P(as_completed, that_is_left_at_any_moment) {
  std::mt19937_64 random(seed());
  const std::size_t rounds = scaled(100'000);
  for (std::size_t round = 0; round < rounds; ++round) {
    handles_of_int all;
    for (int i = 0; i < 5; ++i) {
      const auto delay = magpie::duration(random() % 60'000);
      all.push_back(runtime.spawn(delay < 20us ? give(i) : give_after(delay, i)));
    }
    const auto ask = [](handles_of_int given, magpie::duration limit,
                        std::size_t most) -> magpie::task<std::size_t> {
      auto finished = magpie::as_completed(std::move(given), limit);
      std::size_t count = 0;
      try {
        while (count < most) {
          const auto next = co_await finished.next();
          if (!next.has_value()) break;
          EXPECT_TRUE(next->done());
          ++count;
        }
      } catch (const magpie::timeout_error&) {
      }
      co_return count;
    };
    auto handed = random() % 2 == 0 ? all : std::exchange(all, {});
    const auto asker =
        runtime.spawn(ask(std::move(handed), magpie::duration(random() % 80'000), random() % 7));
    if (random() % 3 == 0) asker.cancel();
    ASSERT_TRUE(ends(asker));
    if (!asker.cancelled()) {
      ASSERT_LE(asker.result(), 5U);
    }
    for (const auto& each : all) {
      ASSERT_TRUE(ends(each));
      ASSERT_FALSE(each.cancelled());
    }
  }
}

}  // namespace
