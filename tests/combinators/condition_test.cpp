#include <magpie/condition.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <magpie/magpie.hpp>
#include <memory>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::condition;
using magpie::mutex;
using magpie::test::ends;

class conditions : public magpie::test::cancelling {
 protected:
  /// Waits once, and notes its number when it has the mutex again.
  magpie::task<> wait_once(std::size_t number) {
    mutex::guard held = co_await entering.lock();
    try {
      co_await changed.wait(held);
    } catch (const magpie::cancelled&) {
      EXPECT_TRUE(held);
      EXPECT_TRUE(entering.is_locked());
      woken.push_back(100 + number);  // what the race detector watches
      throw;
    }
    EXPECT_TRUE(held);
    woken.push_back(number);
  }

  std::vector<magpie::task_handle<>> spawn_waiting(std::size_t count) {
    std::vector<magpie::task_handle<>> handles;
    for (std::size_t i = 0; i < count; ++i) {
      handles.push_back(runtime.spawn(wait_once(i)));
      EXPECT_TRUE(nothing_runs());
    }
    EXPECT_FALSE(entering.is_locked());
    return handles;
  }

  mutex entering;
  condition changed;
  std::vector<std::size_t> woken;  // guarded by the mutex
};
MAGPIE_FOR_EACH_RUNTIME(conditions);

// Rule 79.
TEST_P(conditions, notify_those_who_wait_first_come_first_served) {
  changed.notify_one();  // nobody waits: lost
  changed.notify_all();
  const auto handles = spawn_waiting(4);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(handles[i].done());
    changed.notify_one();
    ASSERT_TRUE(ends(handles[i]));
    ASSERT_TRUE(nothing_runs());
  }
  EXPECT_EQ(woken, (std::vector<std::size_t>{0, 1, 2, 3}));
}

// Rule 79.
TEST_P(conditions, notify_all_that_wait) {
  for (int round = 0; round < 3; ++round) {
    woken.clear();
    const auto handles = spawn_waiting(5);
    changed.notify_all();
    for (const auto& each : handles) ASSERT_TRUE(ends(each));
    EXPECT_EQ(woken, (std::vector<std::size_t>{0, 1, 2, 3, 4}));
  }
}

// Rule 79.
TEST_P(conditions, who_is_notified_waits_for_the_mutex) {
  const auto handles = spawn_waiting(2);
  mutex::guard held = entering.try_lock();
  ASSERT_TRUE(held);
  changed.notify_all();
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(woken.empty());
  held.unlock();
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
}

// Rule 79: it has the mutex again, cancelled too.
TEST_P(conditions, who_is_cancelled_waits_for_the_mutex) {
  auto handles = spawn_waiting(3);
  mutex::guard held = entering.try_lock();
  handles[1].cancel();
  handles[1].cancel();
  ASSERT_TRUE(nothing_runs());
  EXPECT_FALSE(handles[1].done());
  held.unlock();
  ASSERT_TRUE(ends(handles[1]));
  EXPECT_TRUE(handles[1].cancelled());
  changed.notify_all();
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  EXPECT_EQ(woken, (std::vector<std::size_t>{101, 0, 2}));
  EXPECT_FALSE(entering.is_locked());
}

// Rule 79.
TEST_P(conditions, who_is_cancelled_while_the_mutex_is_free_has_it_too) {
  auto handles = spawn_waiting(1);
  handles[0].cancel();
  ASSERT_TRUE(ends(handles[0]));
  EXPECT_TRUE(handles[0].cancelled());
  EXPECT_EQ(woken, (std::vector<std::size_t>{100}));
  EXPECT_FALSE(entering.is_locked());
}

TEST_P(conditions, who_is_cancelled_is_cancelled_though_the_request_is_taken_back) {
  auto handles = spawn_waiting(1);
  mutex::guard held = entering.try_lock();
  handles[0].cancel();
  handles[0].uncancel();
  held.unlock();
  ASSERT_TRUE(ends(handles[0]));
  EXPECT_TRUE(handles[0].cancelled()) << "it was not notified";
}

TEST_P(conditions, who_was_cancelled_before_does_not_wait_and_keeps_the_mutex) {
  const auto body = [&]() -> magpie::task<> {
    mutex::guard held = co_await entering.lock();
    magpie::current_task().cancel();
    try {
      co_await changed.wait(held);
      ADD_FAILURE() << "it waited";
    } catch (const magpie::cancelled&) {
      EXPECT_TRUE(held);
      EXPECT_FALSE(entering.try_lock());
    }
  };
  runtime.block_on(body());
  EXPECT_FALSE(entering.is_locked());
}

// Rules 27 and 79: a notification is not lost with whoever got it.
TEST_P(conditions, who_is_cancelled_after_a_notification_passes_it_on) {
  auto handles = spawn_waiting(2);
  mutex::guard held = entering.try_lock();
  changed.notify_one();
  handles[0].cancel();  // it waits for the mutex
  held.unlock();
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  EXPECT_TRUE(handles[0].cancelled());
  EXPECT_FALSE(handles[1].cancelled());
  EXPECT_EQ(woken, (std::vector<std::size_t>{100, 1}));
}

TEST_P(conditions, what_went_to_all_is_not_passed_on) {
  auto handles = spawn_waiting(1);
  mutex::guard held = entering.try_lock();
  const auto wait_again = [&]() -> magpie::task<> {
    mutex::guard mine = co_await entering.lock();
    co_await changed.wait(mine);
  };
  const auto later = runtime.spawn(wait_again());
  ASSERT_TRUE(nothing_runs());
  changed.notify_all();  // so the later one has the mutex first, and waits
  handles[0].cancel();
  held.unlock();
  ASSERT_TRUE(ends(handles[0]));
  ASSERT_TRUE(nothing_runs());
  EXPECT_FALSE(later.done());
  changed.notify_one();
  ASSERT_TRUE(ends(later));
}

// Rule 79: timed out too.
TEST_P(conditions, a_time_limit_ends_a_wait_with_the_mutex) {
  const auto body = [&]() -> magpie::task<> {
    mutex::guard held = co_await entering.lock();
    EXPECT_THROW(co_await magpie::wait_for(changed.wait(held), 1ms), magpie::timeout_error);
    EXPECT_TRUE(held);
    EXPECT_FALSE(entering.try_lock());
  };
  runtime.block_on(body());
  EXPECT_TRUE(entering.try_lock());
  auto handles = spawn_waiting(1);
  EXPECT_EQ(handles[0].waiting_for(), "condition");
  changed.notify_one();
  ASSERT_TRUE(ends(handles[0]));
}

TEST_P(conditions, wait_until_a_predicate_holds) {
  std::deque<int> queue;
  int sum = 0;
  const auto consume = [&]() -> magpie::task<> {
    for (int i = 0; i < 100; ++i) {
      mutex::guard held = co_await entering.lock();
      co_await changed.wait(held, [&] { return !queue.empty(); });
      sum += queue.front();
      queue.pop_front();
    }
  };
  const auto produce = [&]() -> magpie::task<> {
    for (int i = 0; i < 200; ++i) {
      const mutex::guard held = co_await entering.lock();
      queue.push_back(1);
      changed.notify_one();
    }
  };
  std::vector<magpie::task_handle<>> handles;
  for (int i = 0; i < 4; ++i) handles.push_back(runtime.spawn(consume()));
  for (int i = 0; i < 2; ++i) handles.push_back(runtime.spawn(produce()));
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  EXPECT_EQ(sum, 400);
  EXPECT_TRUE(queue.empty());
}

TEST_P(conditions, refuse_misuse) {
  mutex::guard none;
  EXPECT_THROW(static_cast<void>(changed.wait(none)), magpie::invalid_state);
  mutex::guard held = entering.try_lock();
  EXPECT_THROW(static_cast<void>(changed.wait(held).await_ready()), magpie::invalid_state);
}

TEST(condition_death_test, destroyed_while_somebody_waits) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto destroy_too_early = [] {
    magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
    mutex entering;
    auto never = std::make_unique<condition>();
    const auto wait = [&]() -> magpie::task<> {
      mutex::guard held = co_await entering.lock();
      co_await never->wait(held);
    };
    const auto handle = runtime.spawn(wait());
    runtime.run_until_idle();
    never.reset();
  };
  EXPECT_DEATH(destroy_too_early(), "nobody to wait for a condition that is destroyed");
}

}  // namespace
