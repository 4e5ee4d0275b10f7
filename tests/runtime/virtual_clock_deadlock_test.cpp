#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <magpie/errors.hpp>
#include <magpie/gather.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <optional>
#include <source_location>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/tasks.hpp"
#include "support/threads.hpp"
#include "support/virtual_clock.hpp"

// Where virtual time stops: at the end of the runtime, in a deadlock, and while other threads have
// something to do.

namespace {

using namespace std::chrono_literals;
using magpie::time_point;
using magpie::virtual_time;
using magpie::test::await_handle;
using magpie::test::comes_to_sleep;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::sleep_and_look;
using magpie::test::sleep_long;
using magpie::test::start;

class virtual_clock_of_a_runtime : public magpie::test::in_virtual_time {};
INSTANTIATE_TEST_SUITE_P(seed, virtual_clock_of_a_runtime, testing::Range<std::uint64_t>(0, 21));

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

TEST_P(virtual_clock_of_a_runtime, explains_two_tasks_that_take_semaphores_in_opposite_order) {
  magpie::semaphore from(1, {.name = "from"});
  magpie::semaphore to(1, {.name = "to"});
  const auto transfer = [](magpie::semaphore& first, magpie::semaphore& second) -> magpie::task<> {
    const magpie::permit one = co_await first.acquire();
    co_await magpie::yield();  // asks a service, say
    const magpie::permit other = co_await second.acquire();
  };
  const auto there = runtime.spawn(transfer(from, to), {.name = "there"});
  const auto back = runtime.spawn(transfer(to, from), {.name = "back"});
  const std::string line = std::to_string(std::source_location::current().line() - 1);
  try {
    runtime.block_on(await_handle(there));
  } catch (const magpie::deadlock& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("task \"back\" (virtual_clock_deadlock_test.cpp:" + line +
                        "): semaphore \"from\" (0 ahead)\n"),
              std::string::npos)
        << what;
    EXPECT_NE(what.find("): semaphore \"to\" (0 ahead)\n"), std::string::npos) << what;
    EXPECT_NE(what.find("task \"block_on\" (virtual_clock_deadlock_test.cpp:"), std::string::npos)
        << what;
    EXPECT_NE(what.find("): task \"there\"\n"), std::string::npos) << what;
  }
  there.cancel();
  runtime.run_until_idle();
  EXPECT_TRUE(back.done()) << "the permit of a cancelled task goes to the next";
}

TEST_P(virtual_clock_of_a_runtime, explains_two_tasks_that_await_each_other) {
  std::vector<magpie::task_handle<>> both;
  const auto await_one = [&both](std::size_t which) -> magpie::task<> {
    const auto other = both[which];
    co_await other;
  };
  both.push_back(runtime.spawn(await_one(1), {.name = "hen"}));
  both.push_back(runtime.spawn(await_one(0), {.name = "egg"}));
  try {
    runtime.block_on(await_handle(both[0]));
    FAIL() << "neither can ever end";
  } catch (const magpie::deadlock& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("\ncycle: \"hen\" awaits \"egg\" awaits \"hen\"\n"), std::string::npos)
        << what;
    EXPECT_EQ(error.report().tasks.size(), 3U);
    EXPECT_EQ(error.report().cycles, (std::vector<std::vector<std::size_t>>{{0, 1}}));
  }
}

TEST_P(virtual_clock_of_a_runtime, explains_an_event_that_was_lost) {
  magpie::semaphore arrived(0, {.name = "arrived"});
  const auto deliver = [&](bool is_lucky) -> magpie::task<> {
    co_await magpie::sleep_for(1h);
    if (is_lucky) arrived.release();
  };
  const auto receive = [&]() -> magpie::task<> { (co_await arrived.acquire()).detach(); };
  static_cast<void>(runtime.spawn(deliver(true)));
  static_cast<void>(runtime.spawn(deliver(false)));
  const auto first = runtime.spawn(receive(), {.name = "first"});
  const auto second = runtime.spawn(receive(), {.name = "second"});
  try {
    runtime.block_on(magpie::gather(await_handle(first), await_handle(second)));
    FAIL() << "one of them waits for ever";
  } catch (const magpie::deadlock& error) {
    std::string waiting_for;
    for (const magpie::live_task& each : error.report().tasks) {
      if (each.name != "block_on") waiting_for = each.waiting_for;
    }
    EXPECT_EQ(waiting_for, "semaphore \"arrived\" (0 ahead)") << error.what();
  }
  EXPECT_EQ(runtime.now(), start + 1h);
  EXPECT_TRUE(runtime.shutdown(0s).is_empty());
}

TEST_P(virtual_clock_of_a_runtime, takes_no_waiting_for_a_blocking_call_for_a_deadlock) {
  const auto call = [driver = ::gettid()]() -> magpie::task<int> {
    const auto sleeper = magpie::spawn(sleep_and_look(1h));
    const int given = co_await magpie::run_blocking([driver] {
      EXPECT_TRUE(comes_to_sleep(driver)) << "it has found nothing to do, and waits";
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

TEST_P(virtual_clock_of_a_runtime, stands_still_while_a_thread_is_expected) {
  const auto sleeper = runtime.spawn(sleep_long());
  const auto limited = runtime.spawn(magpie::wait_for(await_handle(sleeper), 1h));
  magpie::work_guard coming(runtime);
  std::thread other([&, driver = ::gettid(), held = std::move(coming)] {
    EXPECT_TRUE(comes_to_sleep(driver)) << "it has found nothing to do, and waits";
    EXPECT_EQ(runtime.now(), start);
    EXPECT_TRUE(sleeper.cancel("from elsewhere"));
  });
  EXPECT_THROW(runtime.block_on(await_handle(limited)), magpie::cancelled);
  EXPECT_EQ(runtime.now(), start);
  other.join();
}

TEST_P(virtual_clock_of_a_runtime, finds_a_deadlock_when_no_thread_is_expected_any_more) {
  magpie::semaphore event(0);
  const auto wait = [&]() -> magpie::task<> { static_cast<void>(co_await event.acquire()); };
  std::optional<magpie::work_guard> coming(runtime);
  std::thread other([&, driver = ::gettid()] {
    EXPECT_TRUE(comes_to_sleep(driver));
    magpie::work_guard another = std::move(*coming);
    coming.reset();
    another = magpie::work_guard(runtime);  // one at a time: the first is dropped
  });
  EXPECT_THROW(runtime.block_on(wait()), magpie::deadlock);
  other.join();
  EXPECT_EQ(runtime.now(), start);
  EXPECT_TRUE(runtime.shutdown(0s).is_empty());
}

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
