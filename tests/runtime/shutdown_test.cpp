#include <gtest/gtest.h>

#include <atomic>
#include <magpie/errors.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <magpie/yield.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::eventually;

class shutdown : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_RUNTIME(shutdown);

constexpr auto ample = 60s;  // for what comes at once

magpie::task<int> hold(counted parameter) {
  co_await magpie::sleep_for(1000h);
  co_return parameter.value;
}

/// Begins a second long sleep when it is cancelled for the first time.
magpie::task<> stay(std::atomic<bool>& was_cancelled) {
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled&) {
    was_cancelled = true;
  }
  co_await magpie::sleep_for(1000h);
}

bool is_asleep(const magpie::any_task_handle& task) {
  return eventually([&] { return task.waiting_for().rfind("sleep", 0) == 0; });
}

// Rule 84: what is left is cancelled and awaited.

TEST_P(shutdown, ends_what_waits) {
  const auto waiting = runtime.spawn(hold(counted(1)));
  const auto failing = runtime.spawn([]() -> magpie::task<> {
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled& told) {
      throw std::runtime_error(told.reason());
    }
  }());
  ASSERT_TRUE(is_asleep(waiting));
  ASSERT_TRUE(is_asleep(failing));
  const magpie::runtime_report left = runtime.shutdown(ample);
  EXPECT_TRUE(left.is_empty()) << left.text();
  EXPECT_EQ(left.text(), "");
  EXPECT_TRUE(waiting.cancelled());
  try {
    std::rethrow_exception(failing.exception());
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "shutdown");
  }
  EXPECT_EQ(counted::alive(), 0);
  EXPECT_TRUE(runtime.all_tasks().empty());
}

TEST_P(shutdown, lets_timers_serve_the_cleaning_up) {
  std::atomic<int> cleaned{0};
  const auto late = [&]() -> magpie::task<> {
    for (int i = 0; i < 100; ++i) co_await magpie::yield();
    co_await magpie::sleep_for(1ms);
    ++cleaned;
  };
  const auto clean_up = [&]() -> magpie::task<> {
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
    }
    co_await magpie::sleep_for(1ms);
    co_await late();
    ++cleaned;
  };
  ASSERT_TRUE(is_asleep(runtime.spawn(clean_up())));
  EXPECT_TRUE(runtime.shutdown(ample).is_empty());
  EXPECT_EQ(cleaned, 2);
}

// Rule 97.
TEST_P(shutdown, cancels_each_task_that_is_spawned_meanwhile) {
  std::vector<magpie::task_handle<int>> newcomers;
  const auto clean_up = [&]() -> magpie::task<> {
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
    }
    newcomers.push_back(magpie::spawn(hold(counted(1))));
    std::vector<magpie::task<int>> bodies;
    for (int i = 0; i < 3; ++i) bodies.push_back(hold(counted(1)));
    for (auto& each : magpie::spawn_many(std::move(bodies))) newcomers.push_back(std::move(each));
  };
  ASSERT_TRUE(is_asleep(runtime.spawn(clean_up())));
  EXPECT_TRUE(runtime.shutdown(ample).is_empty());
  ASSERT_EQ(newcomers.size(), 4U);
  for (const auto& each : newcomers) EXPECT_TRUE(each.cancelled());
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(shutdown, runs_done_callbacks) {
  std::atomic<int> calls{0};
  auto waiting = runtime.spawn(hold(counted(1)));
  waiting.add_done_callback([&](const magpie::any_task_handle& ended) {
    ++calls;
    ended.add_done_callback([&](const magpie::any_task_handle&) { ++calls; });
  });
  EXPECT_TRUE(runtime.shutdown(ample).is_empty());
  EXPECT_EQ(calls, 2);
}

TEST_P(shutdown, names_the_tasks_that_are_left_and_what_they_wait_for) {
  std::atomic<bool> was_cancelled{false};
  const auto staying = runtime.spawn(stay(was_cancelled), {.name = "stays"});
  const auto leaving = runtime.spawn(hold(counted(1)), {.name = "leaves"});
  ASSERT_TRUE(is_asleep(staying));
  ASSERT_TRUE(is_asleep(leaving));
  runtime.request_shutdown();
  ASSERT_TRUE(eventually([&] { return was_cancelled && leaving.done(); }));
  ASSERT_TRUE(is_asleep(staying));
  const magpie::time_point before = runtime.now();
  const magpie::runtime_report left = runtime.shutdown(20ms);
  EXPECT_GE(runtime.now() - before, 20ms);
  EXPECT_FALSE(left.is_empty());
  ASSERT_EQ(left.tasks.size(), 1U) << left.text();
  EXPECT_EQ(left.tasks[0].name, "stays");
  EXPECT_EQ(left.tasks[0].waiting_for.rfind("sleep, 35999", 0), 0U) << left.text();
  EXPECT_EQ(left.blocking_calls, 0U);
  EXPECT_EQ(left.text().rfind("task \"stays\" (shutdown_test.cpp:", 0), 0U) << left.text();
  EXPECT_TRUE(leaving.cancelled());

  // Rule 85: the second time nobody is asked again.
  EXPECT_EQ(staying.cancelling(), 1U);
  EXPECT_EQ(runtime.shutdown(0s).tasks.size(), 1U);
  EXPECT_EQ(runtime.shutdown(-1s).tasks.size(), 1U);
  EXPECT_EQ(staying.cancelling(), 1U);
  EXPECT_FALSE(staying.done());

  staying.cancel();
  EXPECT_TRUE(runtime.shutdown(magpie::no_limit).is_empty());
  EXPECT_TRUE(staying.cancelled());
}

// Rule 85: afterwards all use is refused, and twice is as once.

TEST_P(shutdown, refuses_tasks_afterwards_and_destroys_them) {
  EXPECT_TRUE(runtime.shutdown(ample).is_empty());
  EXPECT_TRUE(runtime.shutdown(ample).is_empty());
  EXPECT_THROW(runtime.spawn(hold(counted(1))), magpie::invalid_state);
  EXPECT_THROW(runtime.block_on(hold(counted(1))), magpie::invalid_state);
  std::vector<magpie::task<int>> several;
  several.push_back(hold(counted(1)));
  several.push_back(hold(counted(2)));
  EXPECT_THROW(runtime.spawn_many(std::move(several)), magpie::invalid_state);
  EXPECT_EQ(counted::alive(), 0);
  try {
    runtime.spawn(hold(counted(1)));
  } catch (const magpie::invalid_state& error) {
    EXPECT_STREQ(error.what(), "magpie: expected a runtime to spawn on that is not shut down");
  }
}

TEST_P(shutdown, refuses_the_tasks_of_those_that_are_left) {
  std::atomic<bool> was_cancelled{false};
  std::atomic<bool> was_refused{false};
  const auto spawn_late = [&]() -> magpie::task<> {
    try {
      co_await stay(was_cancelled);
    } catch (const magpie::cancelled&) {
      try {
        magpie::spawn(hold(counted(1)));
      } catch (const magpie::invalid_state&) {
        was_refused = true;
      }
    }
  };
  const auto staying = runtime.spawn(spawn_late());
  ASSERT_TRUE(is_asleep(staying));
  EXPECT_FALSE(runtime.shutdown(1ms).is_empty());
  ASSERT_TRUE(eventually([&] { return was_cancelled.load(); }));
  staying.cancel();
  EXPECT_TRUE(runtime.shutdown(ample).is_empty());
  EXPECT_TRUE(was_refused);
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(shutdown, is_refused_on_a_worker_where_it_can_be_requested) {
  const auto other = runtime.spawn(hold(counted(1)));
  const auto end_all = [&]() -> magpie::task<> {
    EXPECT_THROW(runtime.shutdown(ample), magpie::invalid_state);
    runtime.request_shutdown();
    runtime.request_shutdown();
    EXPECT_EQ(magpie::current_task().cancelling(), 1U);
    co_await magpie::yield();
  };
  EXPECT_THROW(runtime.block_on(end_all()), magpie::cancelled);
  EXPECT_THROW(runtime.spawn(hold(counted(1))), magpie::invalid_state);
  EXPECT_TRUE(runtime.shutdown(ample).is_empty());
  EXPECT_TRUE(other.cancelled());
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(shutdown, ends_what_other_threads_block_on) {
  if (is_virtual()) GTEST_SKIP() << "one thread drives";
  std::atomic<bool> was_cancelled{false};
  std::thread other([&] {
    try {
      runtime.block_on(hold(counted(1)));
    } catch (const magpie::cancelled&) {
      was_cancelled = true;
    }
  });
  ASSERT_TRUE(eventually([&] { return !runtime.all_tasks().empty(); }));
  EXPECT_TRUE(runtime.shutdown(ample).is_empty());
  other.join();
  EXPECT_TRUE(was_cancelled);
}

// What is spawned while it begins is refused, or ended as all others.
TEST_P(shutdown, misses_nobody_who_spawns_from_outside) {
  if (is_virtual()) GTEST_SKIP() << "no other threads";
  for (int round = 0; round < 50; ++round) {
    magpie::runtime tested(settings());
    std::vector<magpie::task_handle<int>> spawned;
    std::atomic<int> count{0};
    std::thread other([&] {
      try {
        for (;; ++count) spawned.push_back(tested.spawn(hold(counted(1))));
      } catch (const magpie::invalid_state&) {
      }
    });
    while (count < round) std::this_thread::yield();
    EXPECT_TRUE(tested.shutdown(ample).is_empty());
    other.join();
    for (const auto& each : spawned) EXPECT_TRUE(each.cancelled());
  }
}

// Rule 86: it counts the functions that nobody awaits any more.
TEST_P(shutdown, counts_blocking_calls) {
  if (is_virtual()) GTEST_SKIP() << "its time stands still while functions run";
  std::atomic<bool> has_begun{false};
  std::atomic<bool> may_end{false};
  const auto call = [&]() -> magpie::task<> {
    co_await magpie::run_blocking([&] {
      has_begun = true;
      while (!may_end) std::this_thread::yield();
    });
  };
  const auto caller = runtime.spawn(call());
  ASSERT_TRUE(eventually([&] { return has_begun.load(); }));
  const magpie::runtime_report left = runtime.shutdown(1ms);
  may_end = true;
  EXPECT_EQ(left.blocking_calls, 1U);
  EXPECT_FALSE(left.is_empty());
  EXPECT_NE(left.text().find("blocking calls that have not returned: 1\n"), std::string::npos);
  EXPECT_TRUE(runtime.shutdown(ample).is_empty());
  EXPECT_TRUE(caller.cancelled());
}

// In virtual time, what will never happen is not waited for.
TEST_P(shutdown, comes_back_when_nothing_will_happen) {
  if (!is_virtual()) GTEST_SKIP() << "a clock goes on";
  magpie::runtime not_driven{{.workers = 0}};
  const auto never = not_driven.spawn(hold(counted(1)));
  const auto wait_twice = [&]() -> magpie::task<> {
    try {
      co_await magpie::shield(never);
    } catch (const magpie::cancelled&) {
    }
    co_await magpie::shield(never);
  };
  const auto staying = runtime.spawn(wait_twice(), {.name = "stays"});
  runtime.run_until_idle();
  const magpie::runtime_report left = runtime.shutdown(magpie::no_limit);
  ASSERT_EQ(left.tasks.size(), 1U);
  EXPECT_EQ(left.tasks[0].name, "stays");
  EXPECT_FALSE(staying.done());
  staying.cancel();
  EXPECT_TRUE(runtime.shutdown(magpie::no_limit).is_empty());
}

}  // namespace
