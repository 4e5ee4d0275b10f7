#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <magpie/errors.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <optional>
#include <string>
#include <thread>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/tasks.hpp"
#include "support/virtual_clock.hpp"

// Where virtual time stops: at the end of the runtime, in a deadlock, and while other threads have
// something to do.

namespace {

using namespace std::chrono_literals;
using magpie::time_point;
using magpie::virtual_time;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::sleep_and_look;
using magpie::test::sleep_long;
using magpie::test::start;

class virtual_clock_of_a_runtime : public magpie::test::in_virtual_time {};
INSTANTIATE_TEST_SUITE_P(seed, virtual_clock_of_a_runtime, testing::Values(0, 1, 2, 3));

// The end.

TEST_P(virtual_clock_of_a_runtime, does_not_move_at_the_end) {
  std::optional<time_point> woken;
  const auto body = [&]() -> magpie::task<> {
    const counted local;
    try {
      co_await sleep_long();
    } catch (const magpie::cancelled&) {
      woken = magpie::now();
    }
    co_await magpie::spawn(give(1));
  };
  {
    magpie::runtime own{{.workers = 0, .time = virtual_time, .seed = GetParam()}};
    const auto sleeper = own.spawn(body());
    own.run_for(1h);
    EXPECT_FALSE(sleeper.done());
    static_cast<void>(own.spawn(sleep_long()));
  }
  EXPECT_EQ(woken, start + 1h);
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(virtual_clock_of_a_runtime, runs_what_was_never_driven_to_its_end) {
  magpie::task_handle<> sleeper;
  {
    magpie::runtime own{{.workers = 0, .time = virtual_time, .seed = GetParam()}};
    sleeper = own.spawn(sleep_long());
  }
  EXPECT_TRUE(sleeper.cancelled());
}

// Nothing that could ever happen.

TEST_P(virtual_clock_of_a_runtime, finds_deadlocks_and_lists_the_tasks) {
  magpie::runtime not_driven{{.workers = 0}};
  const auto wait_for_ever = [](magpie::task_handle<int> awaited) -> magpie::task<> {
    co_await magpie::shield(awaited);
  };
  const auto await_it = [](magpie::task_handle<> awaited) -> magpie::task<> {
    co_await magpie::sleep_for(1h);
    co_await awaited;
  };
  const auto never =
      runtime.spawn(wait_for_ever(not_driven.spawn(give(1))), {.name = "never wakes"});
  const auto waiter = runtime.spawn(await_it(never), {.name = "waits for that"});
  const auto ended = runtime.spawn(give(1), {.name = "has ended"});
  std::string what;
  try {
    runtime.block_on(await_it(never));
  } catch (const magpie::deadlock& error) {
    what = error.what();
  }
  EXPECT_NE(what.find("\"never wakes\""), std::string::npos) << what;
  EXPECT_NE(what.find("\"waits for that\""), std::string::npos) << what;
  EXPECT_NE(what.find("\"block_on\""), std::string::npos) << what;
  EXPECT_EQ(what.find("\"has ended\""), std::string::npos) << what;
  EXPECT_EQ(runtime.now(), start + 1h) << "what can happen happens before";
  EXPECT_EQ(runtime.all_tasks().size(), 3U) << "they are left as they are";

  // It may go on when somebody does something about it.
  EXPECT_EQ(runtime.block_on(give(2)), 2);
  EXPECT_TRUE(never.cancel());
  runtime.run_until(time_point::max());
  EXPECT_TRUE(waiter.cancelled());
  EXPECT_TRUE(runtime.all_tasks().empty());
}

TEST_P(virtual_clock_of_a_runtime, takes_no_waiting_for_a_blocking_call_for_a_deadlock) {
  const auto call = []() -> magpie::task<int> {
    const auto sleeper = magpie::spawn(sleep_and_look(1h));
    const int given = co_await magpie::run_blocking([] {
      std::this_thread::sleep_for(5ms);
      return 5;
    });
    EXPECT_EQ(magpie::now(), start) << "nor is it taken for time that passes";
    const time_point woken = co_await sleeper;
    EXPECT_EQ(woken, start + 1h);
    co_return given;
  };
  EXPECT_EQ(runtime.block_on(call()), 5);
}

// Other threads.

TEST_P(virtual_clock_of_a_runtime, gives_results_to_and_takes_requests_from_other_threads) {
  const auto gives = runtime.spawn(sleep_and_look(1h));
  const auto sleeps = runtime.spawn(sleep_long());
  std::atomic<bool> may_cancel{false};
  std::thread getter([&] { EXPECT_EQ(gives.get(), start + 1h); });
  std::thread impatient([&] { EXPECT_THROW(sleeps.get(1ms), magpie::timeout_error); });
  std::thread canceller([&] {
    EXPECT_TRUE(eventually([&] { return may_cancel.load(); }));
    EXPECT_TRUE(sleeps.cancel("from elsewhere"));
  });
  runtime.run_for(2h);
  getter.join();
  impatient.join();
  may_cancel = true;
  EXPECT_TRUE(eventually([&] {
    runtime.poll_one();
    return sleeps.done();
  }));
  canceller.join();
  EXPECT_TRUE(sleeps.cancelled());
  EXPECT_EQ(runtime.now(), start + 2h);
}

}  // namespace
