#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <magpie/checkpoint.hpp>
#include <magpie/errors.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/tasks.hpp"

// Runtimes whose time jumps: hours here are not hours.

namespace {

using namespace std::chrono_literals;
using magpie::time_point;
using magpie::virtual_time;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;

constexpr time_point start{};

/// With the seed as parameter.
class virtual_clock : public testing::TestWithParam<std::uint64_t> {
 protected:
  magpie::runtime runtime{{.workers = 0, .time = virtual_time, .seed = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(seed, virtual_clock, testing::Values(0, 1, 2, 3));

magpie::task<time_point> sleep_and_look(magpie::duration delay) {
  co_await magpie::sleep_for(delay);
  co_return magpie::now();
}

magpie::task<> sleep_long() { co_await magpie::sleep_for(100'000h); }

// Where time stands.

TEST_P(virtual_clock, begins_at_zero_and_stands_still_while_something_is_ready) {
  EXPECT_EQ(runtime.now(), start);
  const auto work = []() -> magpie::task<> {
    for (int i = 0; i < 10'000; ++i) {
      co_await magpie::yield();
      co_await magpie::checkpoint();
      co_await magpie::sleep_for(0s);
    }
    EXPECT_EQ(magpie::now(), start);
  };
  runtime.block_on(work());
  EXPECT_EQ(runtime.now(), start);
}

TEST_P(virtual_clock, is_where_a_sleep_ends_to_the_nanosecond) {
  std::mt19937_64 random(GetParam());
  time_point expected = start;
  for (int i = 0; i < 1000; ++i) {
    const magpie::duration delay(1 + random() % (std::uint64_t{1} << random() % 52));
    expected += delay;
    ASSERT_EQ(runtime.block_on(sleep_and_look(delay)), expected);
    ASSERT_EQ(runtime.now(), expected);
  }
}

TEST_P(virtual_clock, is_that_of_the_task_and_the_steady_one_elsewhere) {
  const auto before = magpie::clock::now();
  EXPECT_EQ(runtime.block_on(sleep_and_look(3h)), start + 3h);
  const auto now = magpie::now();  // first: an expectation reads its sides in any order
  EXPECT_GE(now, before);
  EXPECT_LE(now, magpie::clock::now());
  EXPECT_LT(magpie::clock::now() - before, 1h);
}

TEST_P(virtual_clock, jumps_to_the_next_of_many_timers) {
  std::mt19937_64 random(GetParam());
  std::vector<time_point> wakings;
  const auto nap = [&](magpie::duration delay) -> magpie::task<> {
    co_await magpie::sleep_for(delay);
    EXPECT_EQ(magpie::now(), start + delay);
    wakings.push_back(magpie::now());
  };
  std::set<magpie::duration> delays;
  std::vector<magpie::task<>> naps;
  for (int i = 0; i < 2000; ++i) {
    const magpie::duration delay(1 + random() % (std::uint64_t{1} << random() % 62));
    if (delays.insert(delay).second) naps.push_back(nap(delay));
  }
  const auto handles = runtime.spawn_many(std::move(naps));
  runtime.run_until(time_point::max());
  ASSERT_EQ(wakings.size(), delays.size());
  EXPECT_TRUE(std::is_sorted(wakings.begin(), wakings.end()));
}

TEST_P(virtual_clock, does_not_wait_for_the_last_moment_nor_overflow) {
  const time_point late = time_point::max() - 1ns;
  const auto body = [&]() -> magpie::task<> {
    co_await magpie::sleep_until(late);
    EXPECT_EQ(magpie::now(), late);
    co_await magpie::sleep_for(0s);
    const auto never = magpie::spawn(sleep_long());
    co_await magpie::yield();
    EXPECT_EQ(magpie::now(), late);
    never.cancel();
  };
  runtime.block_on(body());
  EXPECT_EQ(runtime.now(), late);
}

// Which of those comes first that are due at one moment is up to the seed, all are there before
// time goes on.
TEST_P(virtual_clock, wakes_all_of_one_moment_in_that_moment) {
  std::vector<int> order;
  const auto nap = [&](int number) -> magpie::task<> {
    co_await magpie::sleep_until(start + 1h);
    EXPECT_EQ(magpie::now(), start + 1h);
    order.push_back(number);
    co_await magpie::sleep_for(1ns);
    EXPECT_EQ(order.size(), 50U);
  };
  std::vector<magpie::task_handle<>> naps;
  for (int i = 0; i < 50; ++i) naps.push_back(runtime.spawn(nap(i)));
  runtime.run_for(1h);
  EXPECT_EQ(order.size(), 50U);
  EXPECT_EQ(std::is_sorted(order.begin(), order.end()), GetParam() == 0)
      << "in the order of their coming, unless a seed decides";
  runtime.run_for(1ns);
  for (const auto& each : naps) EXPECT_TRUE(each.done());
}

// Slices.

TEST_P(virtual_clock, runs_for_as_long_as_was_asked) {
  std::vector<magpie::duration> ticks;
  const auto tick = [&]() -> magpie::task<> {
    for (;;) {
      co_await magpie::sleep_for(1s);
      ticks.push_back(magpie::now() - start);
    }
  };
  const auto ticking = runtime.spawn(tick());
  runtime.run_for(0s);
  EXPECT_TRUE(ticks.empty());
  runtime.run_for(2500ms);
  EXPECT_EQ(runtime.now(), start + 2500ms);
  EXPECT_EQ(ticks, (std::vector<magpie::duration>{1s, 2s}));
  runtime.run_for(499ms);
  EXPECT_EQ(ticks.size(), 2U);
  runtime.run_for(1ms);
  EXPECT_EQ(ticks.size(), 3U) << "what is due at its end belongs to a slice";
  runtime.run_until(start);
  EXPECT_EQ(runtime.now(), start + 3s) << "time does not go back";
  runtime.run_until(start + 1h);
  EXPECT_EQ(ticks.size(), 3600U);
  EXPECT_EQ(runtime.now(), start + 1h);
  ASSERT_TRUE(runtime.next_deadline().has_value());
  EXPECT_LE(*runtime.next_deadline(), start + 1h + 1s);
}

TEST_P(virtual_clock, moves_on_without_tasks) {
  runtime.run_for(5h);
  EXPECT_EQ(runtime.now(), start + 5h);
  EXPECT_FALSE(runtime.poll_one());
  EXPECT_EQ(runtime.next_deadline(), std::nullopt);
  EXPECT_EQ(runtime.now(), start + 5h) << "polling does not move it";
}

TEST_P(virtual_clock, is_not_moved_by_polling) {
  const auto sleeper = runtime.spawn(sleep_and_look(1s));
  while (runtime.poll_one()) {
  }
  EXPECT_EQ(runtime.now(), start);
  EXPECT_FALSE(sleeper.done());
  // Which may be only a step on the way.
  while (const auto next = runtime.next_deadline()) {
    ASSERT_LE(*next, start + 1s);
    runtime.run_until(*next);
    EXPECT_EQ(runtime.now(), *next);
  }
  EXPECT_TRUE(sleeper.done());
  EXPECT_EQ(sleeper.result(), start + 1s);
}

// Timeouts.

TEST_P(virtual_clock, times_out_at_the_limit_exactly) {
  const auto body = []() -> magpie::task<> {
    for (const magpie::duration limit : {magpie::duration(1ns), magpie::duration(1h)}) {
      const time_point begin = magpie::now();
      bool timed_out = false;
      try {
        co_await magpie::wait_for(sleep_long(), limit);
      } catch (const magpie::timeout_error&) {
        timed_out = true;
      }
      EXPECT_TRUE(timed_out);
      EXPECT_EQ(magpie::now(), begin + limit);
    }
    const time_point begin = magpie::now();
    const time_point woken = co_await magpie::wait_for(sleep_and_look(59min), 1h);
    EXPECT_EQ(woken, begin + 59min);
    EXPECT_EQ(magpie::now(), woken) << "the limit that was not reached moves nothing";
  };
  runtime.block_on(body());
}

TEST_P(virtual_clock, reckons_deadlines_and_rescheduling_in_its_time) {
  const auto in_scope = [](magpie::timeout_scope& scope) -> magpie::task<> {
    EXPECT_EQ(scope.deadline(), start + 2h);
    EXPECT_EQ(magpie::current_deadline(), start + 2h);
    co_await magpie::sleep_for(1h);
    EXPECT_TRUE(scope.reschedule(5h));
    EXPECT_EQ(magpie::current_deadline(), start + 6h);
    co_await magpie::sleep_for(4h);
    EXPECT_TRUE(scope.reschedule(start + 5h + 1s));
    co_await sleep_long();
  };
  const auto body = [&]() -> magpie::task<bool> {
    try {
      co_await magpie::with_timeout(2h, in_scope);
    } catch (const magpie::timeout_error&) {
      co_return true;
    }
    co_return false;
  };
  EXPECT_TRUE(runtime.block_on(body()));
  EXPECT_EQ(runtime.now(), start + 5h + 1s);
}

// The end.

TEST_P(virtual_clock, does_not_move_at_the_end) {
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

TEST_P(virtual_clock, runs_what_was_never_driven_to_its_end) {
  magpie::task_handle<> sleeper;
  {
    magpie::runtime own{{.workers = 0, .time = virtual_time, .seed = GetParam()}};
    sleeper = own.spawn(sleep_long());
  }
  EXPECT_TRUE(sleeper.cancelled());
}

// Nothing that could ever happen.

TEST_P(virtual_clock, finds_deadlocks_and_lists_the_tasks) {
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

TEST_P(virtual_clock, takes_no_waiting_for_a_blocking_call_for_a_deadlock) {
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

TEST_P(virtual_clock, gives_results_to_and_takes_requests_from_other_threads) {
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

// Seeds.

/// What is seen of tasks that yield, sleep, time out, fail, are cancelled and await each other.
std::vector<std::string> transcript(std::uint64_t seed) {
  std::vector<std::string> lines;
  const auto say = [&lines](const std::string& who, const std::string& what) {
    lines.push_back(std::to_string((magpie::now() - start) / 1ns) + " " + who + " " + what);
  };
  const auto work = [&](std::string who, std::uint64_t own_seed) -> magpie::task<int> {
    std::mt19937_64 random(own_seed);
    for (int step = 0; step < 20; ++step) {
      const auto delay = std::chrono::seconds(random() % 4);
      std::string ended = "went on";
      try {
        switch (random() % 4) {
          case 0:
            co_await magpie::yield();
            break;
          case 1:
            co_await magpie::sleep_for(delay);
            break;
          case 2:
            co_await magpie::wait_for(sleep_long(), delay);
            break;
          default:
            co_await magpie::spawn(fail(who));
        }
      } catch (const magpie::timeout_error&) {
        ended = "was out of time";
      } catch (const std::exception& error) {
        ended = error.what();
      } catch (const magpie::cancelled&) {
        ended = "was cancelled";
      }
      say(who, ended);
    }
    co_return 1;
  };
  const auto root = [&]() -> magpie::task<> {
    std::vector<magpie::task_handle<int>> all;
    for (int i = 0; i < 10; ++i) {
      const std::string name = "task " + std::to_string(i);
      all.push_back(magpie::spawn(work(name, static_cast<std::uint64_t>(i)), {.name = name}));
    }
    co_await magpie::sleep_for(3s);
    all[0].cancel();
    for (auto& each : all) co_await each;
    say("root", "ends");
  };
  magpie::runtime runtime{{.workers = 0, .time = virtual_time, .seed = seed}};
  runtime.block_on(root());
  return lines;
}

TEST(virtual_clock_seeds, repeat_a_run_and_differ_from_each_other) {
  std::set<std::vector<std::string>> different;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto first = transcript(seed);
    EXPECT_EQ(first.size(), 201U);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(transcript(seed), first) << "seed " << seed;
    different.insert(first);
  }
  EXPECT_EQ(different.size(), 20U);
}

// Misuse.

TEST(virtual_clock_misuse, with_workers_is_an_error) {
  const auto start_runtime = [](const magpie::runtime_options& settings) {
    const magpie::runtime refused(settings);
  };
  EXPECT_THROW(start_runtime({.workers = 1, .time = virtual_time}), magpie::invalid_state);
  EXPECT_THROW(start_runtime({.workers = 1, .seed = 1}), magpie::invalid_state);
  EXPECT_THROW(start_runtime({.workers = 1, .on_wake = [] {}}), magpie::invalid_state);
  EXPECT_THROW(start_runtime({.time = virtual_time}), magpie::invalid_state);
}

TEST(virtual_clock_misuse, driving_on_a_worker_is_an_error) {
  magpie::runtime runtime{{.workers = 0, .time = virtual_time}};
  const auto body = [&]() -> magpie::task<> {
    EXPECT_THROW(runtime.poll_one(), magpie::invalid_state);
    EXPECT_THROW(runtime.run_for(1s), magpie::invalid_state);
    EXPECT_THROW(runtime.run_until(start), magpie::invalid_state);
    EXPECT_THROW(static_cast<void>(runtime.next_deadline()), magpie::invalid_state);
    EXPECT_THROW(runtime.block_on(give(1)), magpie::invalid_state);
    EXPECT_THROW(magpie::spawn(give(1)).get(), magpie::invalid_state);
    co_return;
  };
  runtime.block_on(body());
}

// An hour of retries costs no hour, but a moment.
TEST(virtual_clock_speed, passes_hours_in_no_time) {
  magpie::runtime runtime{{.workers = 0, .time = virtual_time}};
  const auto before = magpie::clock::now();
  const auto retry = []() -> magpie::task<> {
    while (magpie::now() < start + 1h) {
      try {
        co_await magpie::wait_for(sleep_long(), 50ms);
      } catch (const magpie::timeout_error&) {
      }
      co_await magpie::sleep_for(50ms);
    }
  };
  runtime.block_on(retry());
  EXPECT_EQ(runtime.now(), start + 1h);
  EXPECT_LT(magpie::clock::now() - before, 1min);
}

}  // namespace
