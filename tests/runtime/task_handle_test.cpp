#include <magpie/task_handle.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/yield.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/reports.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::give_when;
using magpie::test::reports;
using magpie::test::stop;
using magpie::test::wait_until_done;

class task_handle : public magpie::test::reporting {};
MAGPIE_FOR_EACH_RUNTIME(task_handle);

class task_handle_by_threads : public magpie::test::reporting {};
MAGPIE_FOR_EACH_WORKER_COUNT(task_handle_by_threads);

// Rule 1: spawn does not run the body before it returns.

TEST_P(task_handle, spawn_returns_before_the_body_runs_on_the_same_worker) {
  const auto parent = []() -> magpie::task<bool> {
    const std::thread::id parent_thread = std::this_thread::get_id();
    std::atomic<bool> returned{false};
    std::atomic<bool> ran_inside_spawn{false};
    const auto body = [&]() -> magpie::task<> {
      if (std::this_thread::get_id() == parent_thread && !returned) ran_inside_spawn = true;
      co_return;
    };
    auto handle = magpie::spawn(body());
    returned = true;
    co_await handle;
    co_return ran_inside_spawn.load();
  };
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(runtime.block_on(parent()));
}

TEST_P(task_handle, name_and_current_task_are_set_before_the_body_runs) {
  const auto own_name = []() -> magpie::task<std::string> {
    co_return magpie::current_task().name();
  };
  for (int i = 0; i < 100; ++i) {
    const auto handle = runtime.spawn(own_name(), {.name = "given"});
    wait_until_done(handle);
    EXPECT_EQ(handle.result(), "given");
  }
}

// Rule 2: pending, then finished or cancelled, for good.

TEST_P(task_handle, goes_from_pending_to_finished_and_stays) {
  std::atomic<bool> open{false};
  const auto handle = runtime.spawn(give_when(open, 3));
  EXPECT_FALSE(handle.done());
  EXPECT_EQ(handle.status(), magpie::task_status::pending);
  open = true;
  wait_until_done(handle);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(handle.done());
    EXPECT_EQ(handle.status(), magpie::task_status::finished);
    EXPECT_FALSE(handle.cancelled());
    EXPECT_EQ(handle.result(), 3);
  }
}

TEST_P(task_handle, of_a_task_that_ends_by_cancelled_is_cancelled) {
  const auto handle = runtime.spawn(stop("enough"));
  wait_until_done(handle);
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(handle.status(), magpie::task_status::cancelled);
}

// Rule 3: names.

TEST_P(task_handle, unnamed_tasks_have_unique_names) {
  std::set<std::string> names;
  std::vector<magpie::task_handle<int>> handles;
  for (int i = 0; i < 1000; ++i) handles.push_back(runtime.spawn(give(i)));
  for (const auto& handle : handles) {
    EXPECT_EQ(handle.name().substr(0, 5), "Task-");
    names.insert(handle.name());
  }
  EXPECT_EQ(names.size(), 1000U);
}

TEST_P(task_handle, keeps_its_name_and_takes_another_at_any_time) {
  std::atomic<bool> open{false};
  const auto handle = runtime.spawn(give_when(open, 1), {.name = "first"});
  EXPECT_EQ(handle.name(), "first");
  handle.set_name("second");
  EXPECT_EQ(handle.name(), "second");
  open = true;
  wait_until_done(handle);
  EXPECT_EQ(handle.name(), "second");
  handle.set_name("third");
  const auto copy = handle;
  EXPECT_EQ(copy.name(), "third");
}

TEST_P(task_handle_by_threads, may_be_renamed_by_one_thread_while_another_reads) {
  std::atomic<bool> open{false};
  const auto handle = runtime.spawn(give_when(open, 1), {.name = "a"});
  std::thread renamer([handle] {
    for (int i = 0; i < 1000; ++i) handle.set_name(i % 2 == 0 ? "b" : "a");
  });
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(handle.name().size(), 1U);
  renamer.join();
  open = true;
  wait_until_done(handle);
}

// Rule 7.

TEST_P(task_handle, that_its_own_task_awaits_is_an_error) {
  const auto self_awaiting = []() -> magpie::task<std::string> {
    const auto self = [](std::atomic<bool>& ready, magpie::task_handle<>& own) -> magpie::task<> {
      while (!ready) co_await magpie::yield();
      co_await own;
    };
    std::atomic<bool> ready{false};
    magpie::task_handle<> own;
    own = magpie::spawn(self(ready, own));
    ready = true;
    const auto watched = own;
    try {
      co_await watched;
    } catch (const magpie::invalid_state& error) {
      co_return error.what();
    }
    co_return "nothing thrown";
  };
  EXPECT_EQ(runtime.block_on(self_awaiting()),
            "magpie: expected a task to await another task, not itself");
}

// Rule 10.

TEST_P(task_handle, that_is_dropped_does_not_stop_the_task) {
  std::atomic<int> ended{0};
  const auto work = [&ended]() -> magpie::task<> {
    for (int i = 0; i < 10; ++i) co_await magpie::yield();
    ++ended;
  };
  for (int i = 0; i < 100; ++i) runtime.spawn(work());
  EXPECT_TRUE(eventually([&] { return ended == 100; }));
}

// Rule 11: all_tasks() and current_task().

TEST_P(task_handle, of_every_live_task_and_of_no_other_is_in_all_tasks) {
  std::atomic<bool> open{false};
  std::vector<magpie::task_handle<int>> handles;
  for (int i = 0; i < 20; ++i) handles.push_back(runtime.spawn(give_when(open, i)));
  auto live = runtime.all_tasks();
  EXPECT_EQ(live.size(), 20U);
  for (const auto& handle : handles) {
    EXPECT_EQ(std::count(live.begin(), live.end(), handle), 1) << handle.name();
  }
  live.clear();
  open = true;
  for (const auto& handle : handles) {
    wait_until_done(handle);
    const auto now_live = runtime.all_tasks();
    EXPECT_EQ(std::count(now_live.begin(), now_live.end(), handle), 0);
  }
  EXPECT_TRUE(runtime.all_tasks().empty());
}

TEST_P(task_handle, of_the_current_task_is_right_across_interleavings_and_migrations) {
  EXPECT_FALSE(magpie::current_task());
  std::atomic<int> wrong{0};
  const auto inner = [&wrong](magpie::any_task_handle self) -> magpie::task<> {
    co_await magpie::yield();
    if (magpie::current_task() != self) ++wrong;
  };
  const auto work = [&](int rounds) -> magpie::task<> {
    const auto self = magpie::current_task();
    for (int i = 0; i < rounds; ++i) {
      co_await magpie::yield();
      if (magpie::current_task() != self) ++wrong;
      co_await inner(self);
      if (i % 10 == 0) co_await magpie::sleep_for(10us);
      if (magpie::current_task() != self) ++wrong;
      co_await magpie::spawn(give(1));
      if (magpie::current_task() != self) ++wrong;
    }
  };
  std::vector<magpie::task_handle<>> handles;
  for (int i = 0; i < 20; ++i) handles.push_back(runtime.spawn(work(50)));
  for (const auto& handle : handles) wait_until_done(handle);
  EXPECT_EQ(wrong, 0);
}

// Lifetime.

TEST_P(task_handle, frees_the_frame_at_the_end_and_the_result_with_the_last_handle) {
  const auto work = [](counted parameter) -> magpie::task<counted> {
    co_await magpie::yield();
    co_return counted(parameter.value + 1);
  };
  auto handle = runtime.spawn(work(counted(1)));
  wait_until_done(handle);
  EXPECT_EQ(counted::alive(), 1) << "the result, no longer the parameter";
  auto copy = handle;
  handle = {};
  EXPECT_EQ(copy.result().value, 2);
  copy = {};
  // The worker that ended the task may let go of it a moment after the end was seen.
  EXPECT_TRUE(eventually([] { return counted::alive() == 0; }));
}

TEST_P(task_handle_by_threads, awaited_from_another_runtime) {
  magpie::runtime other{{.workers = 2}};
  const auto await = [](magpie::task_handle<int> handle) -> magpie::task<int> {
    const int& result = co_await handle;
    co_return result + 1;
  };
  for (int i = 0; i < 200; ++i) {
    auto handle = runtime.spawn(give_after_yields(i, i % 5));
    EXPECT_EQ(other.block_on(await(std::move(handle))), i + 1);
  }
}

TEST(task_handle_alone, outlives_its_runtime) {
  magpie::task_handle<std::string> kept;
  magpie::task_handle<int> failed;
  {
    magpie::runtime runtime{{.workers = 2, .on_unobserved = &reports::add}};
    const auto text = []() -> magpie::task<std::string> { co_return "kept"; };
    kept = runtime.spawn(text());
    failed = runtime.spawn(fail("late report"), {.name = "failed"});
    ASSERT_TRUE(eventually([&] { return kept.done() && failed.done(); }));
  }
  EXPECT_TRUE(kept.done());
  EXPECT_EQ(kept.result(), "kept");
  EXPECT_THROW(kept.add_done_callback([](const magpie::any_task_handle&) {}),
               magpie::invalid_state);
  kept.set_name("renamed");
  EXPECT_EQ(kept.name(), "renamed");
  EXPECT_TRUE(reports::take().empty());
  failed = {};
  EXPECT_EQ(reports::take(), std::vector<std::string>{"failed"});
}

TEST(task_handle_alone, that_is_empty_is_caught_when_used) {
  const magpie::task_handle<int> empty;
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty, magpie::any_task_handle());
  EXPECT_DEATH(static_cast<void>(empty.done()), "expected a handle that stands for a task");
}

// Many completions against many awaits, at all distances.

TEST_P(task_handle, loses_no_awaiter_when_completion_and_await_race) {
  const auto pair = [](int i) -> magpie::task<int> {
    const auto handle = magpie::spawn(give_after_yields(i, i % 3));
    for (int j = 0; j < i % 4; ++j) co_await magpie::yield();
    const int& result = co_await handle;
    co_return result;
  };
  const auto all = [&pair](int count) -> magpie::task<long> {
    std::vector<magpie::task_handle<int>> handles;
    for (int i = 0; i < count; ++i) handles.push_back(magpie::spawn(pair(i)));
    long sum = 0;
    for (auto& handle : handles) {
      const int& result = co_await handle;
      sum += result;
    }
    co_return sum;
  };
  EXPECT_EQ(runtime.block_on(all(20'000)), 20'000L * 19'999 / 2);
}

}  // namespace
