#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/yield.hpp>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

// A request to cancel and the task that it is for: when it is delivered, and where.

namespace {

using namespace std::chrono_literals;
using magpie::test::announced_seed;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::reason_of;
using magpie::test::scaled;
using magpie::test::sleep_and_give;
using magpie::test::swallow;

class cancel : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(cancel);

class cancel_by_threads : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_WORKER_COUNT(cancel_by_threads);

class cancel_on_one_thread : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_SINGLE_THREAD(cancel_on_one_thread);

// Rule 14: true while the task is not done, false after.

TEST_P(cancel, says_true_until_the_task_has_ended_and_false_from_then_on) {
  const auto sleeper = runtime.spawn(sleep_and_give(1));
  EXPECT_TRUE(sleeper.cancel());
  ASSERT_TRUE(ends(sleeper));
  EXPECT_FALSE(sleeper.cancel("too late"));
  EXPECT_TRUE(sleeper.cancelled());
  EXPECT_EQ(sleeper.cancelling(), 1U);
  EXPECT_EQ(reason_of(sleeper), "");
}

TEST_P(cancel, after_the_end_changes_nothing) {
  const auto finished = runtime.spawn(give(7));
  ASSERT_TRUE(ends(finished));
  EXPECT_FALSE(finished.cancel());
  EXPECT_EQ(finished.result(), 7);
  EXPECT_EQ(finished.cancelling(), 0U);
  EXPECT_EQ(finished.status(), magpie::task_status::finished);
}

TEST(cancel_after_the_runtime, says_false) {
  magpie::task_handle<int> sleeper;
  {
    magpie::runtime gone{{.workers = 2}};
    sleeper = gone.spawn(sleep_and_give(1));
  }
  EXPECT_FALSE(sleeper.cancel("too late"));
  EXPECT_TRUE(sleeper.done());
}

// Rule 15: it takes its time.

TEST_P(cancel, is_not_over_before_the_body_has_unwound) {
  std::atomic<bool> unwinds{false};
  std::atomic<bool> may_end{false};
  const auto clean_up = [&]() -> magpie::task<> {
    std::exception_ptr stopped;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      stopped = std::current_exception();
    }
    unwinds = true;
    while (!may_end) co_await magpie::yield();
    std::rethrow_exception(std::move(stopped));
  };
  const auto handle = runtime.spawn(clean_up());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("enough"));
  EXPECT_TRUE(eventually([&] { return unwinds.load(); }));
  EXPECT_FALSE(handle.cancelled());
  EXPECT_FALSE(handle.done());
  EXPECT_EQ(handle.status(), magpie::task_status::pending);
  EXPECT_THROW(handle.result(), magpie::invalid_state);
  may_end = true;
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(reason_of(handle), "enough");
}

// Rule 16: before the first step.

TEST_P(cancel_on_one_thread, before_the_first_step_comes_before_the_body) {
  bool began = false;
  const auto body = [&](counted parameter) -> magpie::task<int> {
    began = true;
    co_return parameter.value;
  };
  const auto cancel_new = [&]() -> magpie::task<std::string> {
    const auto handle = magpie::spawn(body(counted(1)));
    EXPECT_TRUE(handle.cancel("not needed"));
    EXPECT_FALSE(handle.done());
    try {
      co_await handle;
    } catch (const magpie::cancelled& stopped) {
      co_return stopped.reason();
    }
    co_return "(a result)";
  };
  EXPECT_EQ(runtime.block_on(cancel_new()), "not needed");
  EXPECT_FALSE(began);
  EXPECT_EQ(counted::alive(), 0) << "the parameter of a body that never ran";
}

TEST_P(cancel, that_races_with_the_first_step_comes_before_it_or_at_a_suspension) {
  for (int i = 0; i < 2000; ++i) {
    bool began = false;
    bool went_on = false;
    const auto body = [&](counted) -> magpie::task<> {
      began = true;
      co_await magpie::sleep_for(1000h);
      went_on = true;
    };
    const auto handle = runtime.spawn(body(counted()));
    EXPECT_TRUE(handle.cancel());
    ASSERT_TRUE(ends(handle));
    EXPECT_TRUE(handle.cancelled());
    EXPECT_FALSE(went_on) << "began: " << began;
  }
  EXPECT_EQ(counted::alive(), 0);
}

// Rule 17: at the current suspension, through the innermost thing awaited.

TEST_P(cancel, unwinds_from_the_innermost_suspension_outwards) {
  struct levels {
    static magpie::task<> below(int depth, std::vector<int>& unwound) {
      struct at_exit {
        std::vector<int>& order;
        int level;
        at_exit(std::vector<int>& into, int mine) : order(into), level(mine) {}
        ~at_exit() { order.push_back(level); }
      };
      const at_exit noted(unwound, depth);
      if (depth == 0) {
        co_await magpie::sleep_for(1000h);
        ADD_FAILURE() << "slept";
        co_return;
      }
      co_await below(depth - 1, unwound);
      ADD_FAILURE() << "went on at level " << depth;
    }
  };
  std::vector<int> unwound;
  const auto handle = runtime.spawn(levels::below(4, unwound));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(unwound, (std::vector{0, 1, 2, 3, 4}));
}

TEST_P(cancel, reaches_a_task_that_only_yields) {
  const auto spin = []() -> magpie::task<> {
    for (;;) co_await magpie::yield();
  };
  std::vector<magpie::task_handle<>> spinners;
  for (int i = 0; i < 20; ++i) spinners.push_back(runtime.spawn(spin()));
  for (const auto& each : spinners) EXPECT_TRUE(each.cancel("halt"));
  for (const auto& each : spinners) {
    ASSERT_TRUE(ends(each));
    EXPECT_EQ(reason_of(each), "halt");
  }
}

TEST_P(cancel_by_threads, never_touches_a_frame_that_goes_on) {
  // The task is at one of several kinds of suspension, or between two, and swallows whatever comes.
  const auto nap = [](int kind) -> magpie::task<> {
    switch (kind) {
      case 0:
        co_await magpie::yield();
        break;
      case 1:
        co_await magpie::sleep_for(20us);
        break;
      case 2:
        co_await magpie::sleep_for(0s);
        break;
      default:
        co_await magpie::spawn(give(1));
    }
  };
  std::atomic<bool> stop_now{false};
  std::atomic<int> begun{0};
  const auto swallow_all = [&](std::size_t seed) -> magpie::task<std::size_t> {
    ++begun;
    std::mt19937_64 random(seed);
    std::size_t deliveries = 0;
    while (!stop_now) {
      const auto kind = static_cast<int>(random() % 4);
      try {
        co_await nap(kind);
      } catch (const magpie::cancelled&) {
        ++deliveries;
      }
    }
    co_return deliveries;
  };
  std::mt19937_64 random(announced_seed());
  std::vector<magpie::task_handle<std::size_t>> targets;
  for (int i = 0; i < 4; ++i) targets.push_back(runtime.spawn(swallow_all(random())));
  ASSERT_TRUE(eventually([&] { return begun.load() == 4; }));
  const std::size_t requests = scaled(1e6);
  std::vector<std::thread> cancellers;
  for (int i = 0; i < 2; ++i) {
    cancellers.emplace_back([&, seed = random()] {
      std::mt19937_64 mine(seed);
      for (std::size_t k = 0; k < requests; ++k) {
        EXPECT_TRUE(targets[mine() % targets.size()].cancel());
        if (mine() % 4 == 0) std::this_thread::yield();
      }
    });
  }
  for (std::thread& each : cancellers) each.join();
  EXPECT_TRUE(eventually([&] {
    stop_now = true;
    for (const auto& each : targets) {
      if (!each.done()) return false;
    }
    return true;
  }));
  std::size_t asked = 0;
  for (const auto& each : targets) {
    asked += each.cancelling();
    if (each.cancelled()) continue;  // a request came when it was about to end
    EXPECT_GT(each.result(), 0U);
    EXPECT_LE(each.result(), each.cancelling());
  }
  EXPECT_EQ(asked, 2 * requests);
}

// Rule 19: oneself.

TEST_P(cancel, of_oneself_acts_at_the_next_await) {
  const auto tell_oneself = []() -> magpie::task<std::vector<std::string>> {
    std::vector<std::string> seen;
    for (int kind = 0; kind < 5; ++kind) {
      // Before the request: it may not have ended when the await is reached.
      const auto sleeper = magpie::spawn(sleep_and_give(1));
      EXPECT_TRUE(magpie::current_task().cancel(std::to_string(kind)));
      co_await give(1);  // no suspension
      EXPECT_FALSE(magpie::current_task().done());
      try {
        if (kind == 0) co_await magpie::yield();
        if (kind == 1) co_await magpie::sleep_for(0s);
        if (kind == 2) co_await magpie::sleep_for(1000h);
        if (kind == 3) co_await sleeper;
        if (kind == 4) co_await magpie::sleep_until(magpie::time_point::max());
        seen.emplace_back("went on");
      } catch (const magpie::cancelled& stopped) {
        seen.push_back(stopped.reason());
      }
      sleeper.cancel();
    }
    co_return seen;
  };
  const auto handle = runtime.spawn(tell_oneself());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), (std::vector<std::string>{"0", "1", "2", "3", "4"}));
  EXPECT_EQ(handle.cancelling(), 5U);
}

// Rule 28: sleepers.

TEST_P(cancel, wakes_sleepers_at_once_and_removes_their_timers) {
  std::vector<magpie::task<std::string>> bodies;
  for (int i = 0; i < 2000; ++i) bodies.push_back(swallow());
  const auto sleepers = runtime.spawn_many(std::move(bodies));
  ASSERT_TRUE(nothing_runs());
  for (const auto& each : sleepers) EXPECT_TRUE(each.cancel("up"));
  for (const auto& each : sleepers) {
    ASSERT_TRUE(ends(each));
    EXPECT_EQ(each.result(), "up");
  }
  if (is_virtual()) {
    EXPECT_FALSE(runtime.next_deadline()) << "a timer is left";
  }
}

TEST_P(cancel, that_races_with_the_timer_wakes_a_sleeper_once) {
  std::mt19937_64 random(seed());
  const auto nap = [](magpie::duration delay, int& wakings) -> magpie::task<bool> {
    bool slept = false;
    try {
      co_await magpie::sleep_for(delay);
      slept = true;
    } catch (const magpie::cancelled&) {
    }
    ++wakings;
    co_return slept;
  };
  std::size_t by_timer = 0;
  std::size_t by_request = 0;
  for (std::size_t round = 0; round < scaled(5000); ++round) {
    std::vector<int> wakings(50);
    std::vector<magpie::task_handle<bool>> sleepers;
    for (int& each : wakings) {
      sleepers.push_back(runtime.spawn(nap(magpie::duration(random() % 400'000), each)));
    }
    for (const auto& each : sleepers) each.cancel();
    for (std::size_t i = 0; i < sleepers.size(); ++i) {
      ASSERT_TRUE(ends(sleepers[i]));
      if (sleepers[i].cancelled()) continue;  // before the first step, or when about to end
      ASSERT_EQ(wakings[i], 1);
      ++(sleepers[i].result() ? by_timer : by_request);
    }
  }
  RecordProperty("by_timer", std::to_string(by_timer));
  RecordProperty("by_request", std::to_string(by_request));
}

}  // namespace
