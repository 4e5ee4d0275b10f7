#include <magpie/mutex.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::mutex;
using magpie::permit;
using magpie::shared_mutex;
using magpie::test::ends;

/// Notes the order in which it had the mutex.
magpie::task<> take_turn(mutex& entering, std::size_t number, std::vector<std::size_t>& order) {
  const mutex::guard held = co_await entering.lock();
  order.push_back(number);
}

class mutexes : public magpie::test::cancelling {
 protected:
  /// Spawns tasks that wait for the mutex in order.
  std::vector<magpie::task_handle<>> spawn_waiting(mutex& entering, std::size_t count,
                                                   std::vector<std::size_t>& order) {
    std::vector<magpie::task_handle<>> handles;
    for (std::size_t i = 0; i < count; ++i) {
      handles.push_back(runtime.spawn(take_turn(entering, i, order)));
      EXPECT_TRUE(nothing_runs());
    }
    return handles;
  }
};
MAGPIE_FOR_EACH_RUNTIME(mutexes);

TEST_P(mutexes, a_free_one_is_locked_without_a_suspension) {
  mutex entering;
  const auto body = [&]() -> magpie::task<> {
    auto locking = entering.lock();
    const bool is_ready = locking.await_ready();
    EXPECT_TRUE(is_ready);
    const mutex::guard held = locking.await_resume();
    EXPECT_TRUE(held);
    EXPECT_TRUE(entering.is_locked());
    EXPECT_FALSE(entering.try_lock());
    co_return;
  };
  runtime.block_on(body());
  EXPECT_FALSE(entering.is_locked());
  EXPECT_TRUE(entering.try_lock());
}

TEST_P(mutexes, a_guard_can_be_moved_and_unlocked_once) {
  mutex entering;
  mutex other;
  mutex::guard held = entering.try_lock();
  mutex::guard moved = std::move(held);
  EXPECT_FALSE(held);
  EXPECT_THROW(held.unlock(), magpie::invalid_state);
  moved.unlock();
  EXPECT_FALSE(moved);
  EXPECT_THROW(moved.unlock(), magpie::invalid_state);
  held = entering.try_lock();
  held = other.try_lock();  // unlocks the first
  EXPECT_FALSE(entering.is_locked());
  EXPECT_TRUE(other.is_locked());
}

// Rule 77.
TEST_P(mutexes, let_one_in_at_a_time) {
  mutex entering;
  int inside = 0;
  int times = 0;
  const auto body = [&]() -> magpie::task<> {
    for (int i = 0; i < 200; ++i) {
      const mutex::guard held = co_await entering.lock();
      EXPECT_EQ(++inside, 1);
      ++times;  // what the race detector watches
      if (i % 8 == 0) co_await magpie::yield();
      --inside;
    }
  };
  std::vector<magpie::task_handle<>> handles;
  for (int i = 0; i < 10; ++i) handles.push_back(runtime.spawn(body()));
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  EXPECT_EQ(times, 2000);
  EXPECT_FALSE(entering.is_locked());
}

// Rule 77.
TEST_P(mutexes, first_come_first_served) {
  mutex entering;
  mutex::guard held = entering.try_lock();
  std::vector<std::size_t> order;
  const auto handles = spawn_waiting(entering, 8, order);
  held.unlock();
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

// Rule 77: whoever comes while others wait does not get in between.
TEST_P(mutexes, that_are_unlocked_belong_to_the_first_that_waits) {
  mutex entering;
  mutex::guard held = entering.try_lock();
  std::vector<std::size_t> order;
  const auto handles = spawn_waiting(entering, 1, order);
  const auto unlock_and_try = [&]() -> magpie::task<> {
    held.unlock();
    if (!is_virtual() && GetParam() != 1) co_return;  // the other may be through
    EXPECT_FALSE(entering.try_lock());
    co_return;
  };
  runtime.block_on(unlock_and_try());
  ASSERT_TRUE(ends(handles[0]));
}

// Rules 27 and 77.
TEST_P(mutexes, who_is_cancelled_leaves_the_line) {
  mutex entering;
  mutex::guard held = entering.try_lock();
  std::vector<std::size_t> order;
  auto handles = spawn_waiting(entering, 6, order);
  for (const std::size_t each : {0U, 3U, 5U}) {
    handles[each].cancel();
    ASSERT_TRUE(ends(handles[each]));
    EXPECT_TRUE(handles[each].cancelled());
  }
  held.unlock();
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  EXPECT_EQ(order, (std::vector<std::size_t>{1, 2, 4}));
}

// Rules 27 and 77.
TEST_P(mutexes, who_is_cancelled_after_the_lock_passes_it_on) {
  mutex entering;
  mutex::guard held = entering.try_lock();
  std::vector<std::size_t> order;
  auto handles = spawn_waiting(entering, 2, order);
  // On a worker, so that with one worker, or none, the first has not gone on when it is cancelled.
  const auto unlock_and_cancel = [&]() -> magpie::task<bool> {
    held.unlock();
    co_return handles[0].cancel();
  };
  const bool came_in_time = runtime.block_on(unlock_and_cancel());
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  if (GetParam() <= 1) {
    EXPECT_TRUE(came_in_time);
  }
  EXPECT_EQ(handles[0].cancelled(), came_in_time);
  EXPECT_FALSE(handles[1].cancelled());
  EXPECT_EQ(order.back(), 1U);
  EXPECT_FALSE(entering.is_locked());
}

TEST_P(mutexes, a_time_limit_ends_a_wait) {
  mutex entering;
  const mutex::guard held = entering.try_lock();
  EXPECT_THROW(static_cast<void>(runtime.block_on(magpie::wait_for(entering.lock(), 1ms))),
               magpie::timeout_error);
  std::vector<std::size_t> order;
  auto handles = spawn_waiting(entering, 2, order);
  EXPECT_EQ(handles[1].waiting_for(), "mutex (1 ahead)");
  for (auto& each : handles) each.cancel();
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
}

TEST_P(mutexes, are_shared_by_the_tasks_of_two_runtimes) {
  if (is_virtual()) GTEST_SKIP() << "other threads do not count there";
  magpie::runtime other{settings()};
  mutex entering;
  int shared = 0;
  const auto body = [&]() -> magpie::task<> {
    for (int i = 0; i < 500; ++i) {
      const mutex::guard held = co_await entering.lock();
      ++shared;  // what the race detector watches
      if (i % 16 == 0) co_await magpie::yield();
    }
  };
  ASSERT_TRUE(magpie::test::end_on_both(runtime, other, body));
  EXPECT_EQ(shared, 4000);
}

TEST_P(mutexes, refuse_a_lock_outside_of_a_task) {
  mutex entering;
  EXPECT_THROW(static_cast<void>(entering.lock().await_ready()), magpie::invalid_state);
  EXPECT_FALSE(entering.is_locked());
}

TEST(mutex_death_test, destroyed_while_it_is_locked) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto destroy_too_early = [] {
    auto entering = std::make_unique<mutex>();
    auto held = std::make_unique<mutex::guard>(entering->try_lock());
    entering.reset();
    static_cast<void>(held.release());
  };
  EXPECT_DEATH(destroy_too_early(), "a mutex that nobody holds, to destroy it");
}

class shared_mutexes : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(shared_mutexes);

TEST_P(shared_mutexes, let_many_readers_in_or_one_writer) {
  shared_mutex table;
  int written = 0;
  std::atomic<int> readers{0};
  std::atomic<int> most_readers{0};
  const auto read = [&]() -> magpie::task<> {
    for (int i = 0; i < 50; ++i) {
      const permit held = co_await table.lock_shared();
      const int before = written;
      most_readers = std::max(most_readers.load(), ++readers);
      co_await magpie::yield();
      --readers;
      EXPECT_EQ(written, before);
    }
  };
  const auto write = [&]() -> magpie::task<> {
    for (int i = 0; i < 50; ++i) {
      const permit held = co_await table.lock();
      EXPECT_EQ(readers, 0);
      ++written;
      co_await magpie::yield();
    }
  };
  std::vector<magpie::task_handle<>> handles;
  for (int i = 0; i < 6; ++i) handles.push_back(runtime.spawn(i % 3 == 0 ? write() : read()));
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  EXPECT_EQ(written, 100);
  EXPECT_GT(most_readers, 1);
}

TEST_P(shared_mutexes, let_no_reader_pass_a_writer) {
  shared_mutex table;
  permit reading = table.try_lock_shared();
  ASSERT_TRUE(reading);
  EXPECT_FALSE(table.try_lock());
  const auto write = [&]() -> magpie::task<> { const permit held = co_await table.lock(); };
  const auto writer = runtime.spawn(write());
  ASSERT_TRUE(nothing_runs());
  EXPECT_FALSE(table.try_lock_shared()) << "a writer waits";
  reading.give_back();
  ASSERT_TRUE(ends(writer));
  EXPECT_TRUE(table.try_lock_shared());
  EXPECT_TRUE(table.try_lock());
}

}  // namespace
