#include <magpie/task_handle.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/worker_counts.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::eventually;

/// What the hook was told, for the tests of rule 9.
class reports {
 public:
  static void add(const magpie::unobserved_failure& failure) noexcept {
    const std::lock_guard lock(mutex_);
    names_.emplace_back(failure.task_name);
  }

  static std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(names_, {});
  }

 private:
  inline static std::mutex mutex_;
  inline static std::vector<std::string> names_;
};

class task_handle : public magpie::test::each_worker_count {
 protected:
  ~task_handle() override { EXPECT_EQ(reports::take(), std::vector<std::string>{}); }

  magpie::runtime runtime{{.workers = GetParam(), .on_unobserved = &reports::add}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(task_handle);

// The order in which several workers run tasks is not promised.
class task_handle_on_one_worker : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

magpie::task<int> give(int value) { co_return value; }
magpie::task<int> give_after_yields(int value, int yields) {
  for (int i = 0; i < yields; ++i) co_await magpie::yield();
  co_return value;
}
magpie::task<int> fail(std::string what) {
  throw std::runtime_error(what);
  co_return 0;
}
magpie::task<int> stop(std::string reason) {
  throw magpie::cancelled(reason);
  co_return 0;
}

/// Waits for a flag that another thread sets.
magpie::task<int> wait_for(std::atomic<bool>& open, int value) {
  while (!open) co_await magpie::yield();
  co_return value;
}

template <class Handle>
void wait_until_done(const Handle& handle) {
  while (!handle.done()) std::this_thread::yield();
}

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
  const auto handle = runtime.spawn(wait_for(open, 3));
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
  const auto handle = runtime.spawn(wait_for(open, 1), {.name = "first"});
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

TEST_P(task_handle, may_be_renamed_by_one_thread_while_another_reads) {
  std::atomic<bool> open{false};
  const auto handle = runtime.spawn(wait_for(open, 1), {.name = "a"});
  std::thread renamer([handle] {
    for (int i = 0; i < 1000; ++i) handle.set_name(i % 2 == 0 ? "b" : "a");
  });
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(handle.name().size(), 1U);
  renamer.join();
  open = true;
  wait_until_done(handle);
}

// Rules 4 and 5: result() and exception() in each state.

TEST_P(task_handle, refuses_result_and_exception_before_the_end) {
  std::atomic<bool> open{false};
  const auto handle = runtime.spawn(wait_for(open, 1));
  EXPECT_THROW(static_cast<void>(handle.result()), magpie::invalid_state);
  EXPECT_THROW(static_cast<void>(handle.exception()), magpie::invalid_state);
  open = true;
  wait_until_done(handle);
}

TEST_P(task_handle, of_a_success_has_a_result_and_no_exception) {
  const auto handle = runtime.spawn(give(8));
  wait_until_done(handle);
  EXPECT_EQ(handle.result(), 8);
  EXPECT_EQ(handle.exception(), nullptr);
}

TEST_P(task_handle, of_a_failure_rethrows_and_gives_the_exception) {
  const auto handle = runtime.spawn(fail("broken"));
  wait_until_done(handle);
  EXPECT_THROW(static_cast<void>(handle.result()), std::runtime_error);
  EXPECT_THROW(std::rethrow_exception(handle.exception()), std::runtime_error);
  EXPECT_THROW(static_cast<void>(handle.result()), std::runtime_error) << "each time";
}

TEST_P(task_handle, of_a_cancelled_task_throws_cancelled_with_the_reason) {
  const auto handle = runtime.spawn(stop("enough"));
  wait_until_done(handle);
  EXPECT_THROW(static_cast<void>(handle.exception()), magpie::cancelled);
  try {
    static_cast<void>(handle.result());
    FAIL() << "nothing thrown";
  } catch (const magpie::cancelled& cancelled) {
    EXPECT_EQ(cancelled.reason(), "enough");
  }
}

// Rule 6: every awaiter gets the same outcome.

TEST_P(task_handle, gives_all_its_awaiters_the_same_object) {
  std::atomic<bool> open{false};
  const auto shared = runtime.spawn(wait_for(open, 5));
  const auto await = [](magpie::task_handle<int> handle) -> magpie::task<const int*> {
    const int& result = co_await handle;
    co_return &result;
  };
  std::vector<magpie::task_handle<const int*>> awaiters;
  for (int i = 0; i < 50; ++i) awaiters.push_back(runtime.spawn(await(shared)));
  open = true;
  for (auto& each : awaiters) {
    wait_until_done(each);
    EXPECT_EQ(each.result(), &shared.result());
  }
}

TEST_P(task_handle, gives_all_its_awaiters_the_same_failure) {
  const auto shared = runtime.spawn(fail("broken"));
  const auto await = [](magpie::task_handle<int> handle) -> magpie::task<std::string> {
    try {
      co_await handle;
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing thrown";
  };
  std::vector<magpie::task_handle<std::string>> awaiters;
  for (int i = 0; i < 50; ++i) awaiters.push_back(runtime.spawn(await(shared)));
  for (auto& each : awaiters) {
    wait_until_done(each);
    EXPECT_EQ(each.result(), "broken");
  }
}

TEST_F(task_handle_on_one_worker, resumes_its_awaiters_in_the_order_in_which_they_came) {
  std::atomic<bool> open{false};
  std::vector<int> order;
  const auto shared = runtime.spawn(wait_for(open, 5));
  const auto await = [&order, &shared](int number) -> magpie::task<> {
    co_await shared;
    order.push_back(number);
  };
  std::vector<magpie::task_handle<>> awaiters;
  for (int i = 0; i < 5; ++i) awaiters.push_back(runtime.spawn(await(i)));
  const auto let_them_wait = []() -> magpie::task<> {
    for (int i = 0; i < 1000; ++i) co_await magpie::yield();
  };
  runtime.block_on(let_them_wait());
  open = true;
  for (auto& each : awaiters) wait_until_done(each);
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
}

// Taking the result.

TEST_P(task_handle, moves_the_result_out_of_the_last_handle) {
  const auto parent = []() -> magpie::task<int> {
    const auto make = []() -> magpie::task<std::unique_ptr<int>> {
      co_await magpie::yield();
      co_return std::make_unique<int>(6);
    };
    const std::unique_ptr<int> taken = co_await magpie::spawn(make());
    co_return *taken;
  };
  for (int i = 0; i < 200; ++i) EXPECT_EQ(runtime.block_on(parent()), 6);
}

TEST_P(task_handle, copies_the_result_when_there_are_other_handles) {
  const auto parent = []() -> magpie::task<std::string> {
    const auto make = []() -> magpie::task<std::string> {
      co_return "long enough to live on the heap";
    };
    auto handle = magpie::spawn(make());
    const auto other = handle;
    const std::string taken = co_await std::move(handle);
    co_return taken + "|" + other.result();
  };
  EXPECT_EQ(runtime.block_on(parent()),
            "long enough to live on the heap|long enough to live on the heap");
}

TEST_P(task_handle, refuses_to_take_what_cannot_be_copied_from_others) {
  const auto parent = []() -> magpie::task<bool> {
    const auto make = []() -> magpie::task<std::unique_ptr<int>> {
      co_return std::make_unique<int>(6);
    };
    auto handle = magpie::spawn(make());
    const auto other = handle;
    bool refused = false;
    try {
      const auto taken = co_await std::move(handle);
    } catch (const magpie::invalid_state&) {
      refused = true;
    }
    co_return refused && *other.result() == 6;
  };
  EXPECT_TRUE(runtime.block_on(parent()));
}

TEST_P(task_handle, of_void_and_of_a_reference) {
  int object = 4;
  const auto parent = [&object]() -> magpie::task<bool> {
    const auto bump = [&object]() -> magpie::task<> {
      ++object;
      co_return;
    };
    const auto refer = [](int& target) -> magpie::task<int&> { co_return target; };
    const auto bumped = magpie::spawn(bump());
    co_await bumped;
    auto referring = magpie::spawn(refer(object));
    int& same = co_await referring;
    int& taken = co_await std::move(referring);
    co_return object == 5 && &same == &object && &taken == &object;
  };
  EXPECT_TRUE(runtime.block_on(parent()));
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

// Rule 8: done callbacks run once each, in order, after done(), on a worker.

TEST_P(task_handle, runs_done_callbacks_once_in_order_after_the_end) {
  std::atomic<bool> open{false};
  std::mutex mutex;
  std::vector<int> order;
  std::atomic<int> called{0};
  std::atomic<int> wrong{0};
  const auto handle = runtime.spawn(wait_for(open, 1));
  const auto callback_number = [&](int number) {
    return [&, number](const magpie::any_task_handle& ended) {
      if (!ended.done() || ended != handle || magpie::current_task()) ++wrong;
      {
        const std::lock_guard lock(mutex);
        order.push_back(number);
      }
      ++called;
    };
  };
  for (int i = 0; i < 10; ++i) handle.add_done_callback(callback_number(i));
  EXPECT_EQ(called, 0);
  open = true;
  wait_until_done(handle);
  for (int i = 10; i < 20; ++i) handle.add_done_callback(callback_number(i));
  while (called < 20) std::this_thread::yield();
  const std::lock_guard lock(mutex);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(order.size(), 20U);
  EXPECT_EQ(wrong, 0);
}

TEST_P(task_handle, runs_no_done_callback_inside_add_done_callback) {
  const auto parent = []() -> magpie::task<bool> {
    const auto handle = magpie::spawn(give(1));
    co_await handle;
    const std::thread::id here = std::this_thread::get_id();
    std::atomic<bool> returned{false};
    std::atomic<bool> ran{false};
    std::atomic<bool> ran_inside{false};
    handle.add_done_callback([&](const magpie::any_task_handle&) {
      ran_inside = std::this_thread::get_id() == here && !returned;
      ran = true;
    });
    returned = true;
    while (!ran) co_await magpie::yield();
    co_return ran_inside;
  };
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(runtime.block_on(parent()));
}

TEST_P(task_handle, says_how_many_done_callbacks_it_removed) {
  std::atomic<bool> open{false};
  std::atomic<int> called{0};
  const auto handle = runtime.spawn(wait_for(open, 1));
  const auto count = [&called](const magpie::any_task_handle&) { ++called; };
  const auto first = handle.add_done_callback(count);
  const auto second = handle.add_done_callback(count);
  EXPECT_EQ(handle.remove_done_callback(first), 1U);
  EXPECT_EQ(handle.remove_done_callback(first), 0U);
  open = true;
  while (called < 1) std::this_thread::yield();
  EXPECT_EQ(handle.remove_done_callback(second), 0U);
  EXPECT_EQ(called, 1);
}

TEST_P(task_handle, reports_what_a_done_callback_throws_and_runs_the_next) {
  std::atomic<bool> next_ran{false};
  const auto handle = runtime.spawn(give(1), {.name = "with callbacks"});
  handle.add_done_callback(
      [](const magpie::any_task_handle&) { throw std::runtime_error("from a callback"); });
  handle.add_done_callback([&next_ran](const magpie::any_task_handle&) { next_ran = true; });
  while (!next_ran) std::this_thread::yield();
  EXPECT_EQ(reports::take(), std::vector<std::string>{"with callbacks"});
}

TEST_P(task_handle, loses_no_done_callback_when_the_end_and_the_registration_race) {
  std::atomic<int> called{0};
  for (int i = 0; i < 2000; ++i) {
    const auto handle = runtime.spawn(give_after_yields(i, i % 3));
    for (int spin = 0; spin < i % 64; ++spin) std::atomic_signal_fence(std::memory_order_seq_cst);
    handle.add_done_callback([&called](const magpie::any_task_handle&) { ++called; });
  }
  while (called < 2000) std::this_thread::yield();
}

// Rule 9: a failure that nobody observes is reported once.

TEST_P(task_handle, reports_a_failure_that_nobody_observed_once) {
  {
    const auto handle = runtime.spawn(fail("broken"), {.name = "lonely"});
    const auto copy = handle;
    wait_until_done(copy);
  }
  // The worker that ended the task may be the last to let go of it.
  std::vector<std::string> seen;
  while ((seen = reports::take()).empty()) std::this_thread::yield();
  EXPECT_EQ(seen, std::vector<std::string>{"lonely"});
}

TEST_P(task_handle, reports_a_failure_when_there_is_no_handle_at_all) {
  runtime.spawn(fail("broken"), {.name = "orphan"});
  std::vector<std::string> seen;
  while ((seen = reports::take()).empty()) std::this_thread::yield();
  EXPECT_EQ(seen, std::vector<std::string>{"orphan"});
}

TEST_P(task_handle, reports_nothing_that_was_observed_or_cancelled) {
  {
    const auto by_result = runtime.spawn(fail("a"));
    const auto by_exception = runtime.spawn(fail("b"));
    const auto by_cancel = runtime.spawn(stop("c"));
    wait_until_done(by_result);
    wait_until_done(by_exception);
    wait_until_done(by_cancel);
    EXPECT_THROW(static_cast<void>(by_result.result()), std::runtime_error);
    EXPECT_NE(by_exception.exception(), nullptr);
  }
  EXPECT_THROW(runtime.block_on(fail("d")), std::runtime_error);
  const auto await = []() -> magpie::task<> { co_await magpie::spawn(fail("e")); };
  EXPECT_THROW(runtime.block_on(await()), std::runtime_error);
}

// Rule 10.

TEST_P(task_handle, that_is_dropped_does_not_stop_the_task) {
  std::atomic<int> ended{0};
  const auto work = [&ended]() -> magpie::task<> {
    for (int i = 0; i < 10; ++i) co_await magpie::yield();
    ++ended;
  };
  for (int i = 0; i < 100; ++i) runtime.spawn(work());
  while (ended < 100) std::this_thread::yield();
}

// Rule 11: all_tasks() and current_task().

TEST_P(task_handle, of_every_live_task_and_of_no_other_is_in_all_tasks) {
  std::atomic<bool> open{false};
  std::vector<magpie::task_handle<int>> handles;
  for (int i = 0; i < 20; ++i) handles.push_back(runtime.spawn(wait_for(open, i)));
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

TEST_P(task_handle, awaited_from_another_runtime) {
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
