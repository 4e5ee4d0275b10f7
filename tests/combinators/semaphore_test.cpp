#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::permit;
using magpie::semaphore;
using magpie::test::ends;
using magpie::test::eventually;

class semaphores : public magpie::test::cancelling {
 protected:
  /// Spawns a task that acquires and gives back, when those spawned before it wait already.
  template <class Body>
  auto spawn_in_turn(semaphore& on, Body body) {
    const std::size_t before = on.waiting();
    auto handle = runtime.spawn(std::move(body));
    EXPECT_TRUE(eventually([&] { return on.waiting() == before + 1; }));
    return handle;
  }
};
MAGPIE_FOR_EACH_RUNTIME(semaphores);

/// Notes the order in which it was served.
magpie::task<> take_turn(semaphore& from, std::size_t weight, std::size_t number,
                         std::vector<std::size_t>& order) {
  const permit held = co_await from.acquire(weight);
  order.push_back(number);
}

magpie::task<std::size_t> take(semaphore& from, std::size_t weight) {
  const permit held = co_await from.acquire(weight);
  co_return held.weight();
}

// Rule 80.
TEST_P(semaphores, a_free_permit_is_taken_without_a_suspension) {
  semaphore three(3);
  const auto body = [&]() -> magpie::task<> {
    auto taking = three.acquire(2);
    const bool is_ready = taking.await_ready();
    EXPECT_TRUE(is_ready);
    permit held = taking.await_resume();
    EXPECT_TRUE(held);
    EXPECT_EQ(held.weight(), 2U);
    EXPECT_EQ(three.available(), 1);
    co_return;
  };
  runtime.block_on(body());
  EXPECT_EQ(three.available(), 3);
}

TEST_P(semaphores, a_permit_can_be_moved_given_back_and_detached) {
  semaphore four(4);
  permit taken = four.try_acquire(1);
  ASSERT_TRUE(taken);
  permit moved = std::move(taken);
  EXPECT_FALSE(taken);
  EXPECT_EQ(four.available(), 3);
  moved = four.try_acquire(3);  // gives back the first
  EXPECT_EQ(four.available(), 1);
  EXPECT_EQ(moved.weight(), 3U);
  moved.give_back();
  moved.give_back();
  EXPECT_FALSE(moved);
  EXPECT_EQ(moved.weight(), 0U);
  EXPECT_EQ(four.available(), 4);
  four.try_acquire(4).detach();
  EXPECT_EQ(four.available(), 0);
  four.release(4);
  EXPECT_EQ(four.available(), 4);
}

// Rule 80.
TEST_P(semaphores, first_come_first_served) {
  semaphore one(1);
  permit held = one.try_acquire();
  std::vector<std::size_t> order;
  std::vector<magpie::task_handle<>> handles;
  for (std::size_t i = 0; i < 20; ++i) {
    handles.push_back(spawn_in_turn(one, take_turn(one, 1, i, order)));
  }
  held.give_back();
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(order[i], i);
}

// Rule 80.
TEST_P(semaphores, nobody_passes_who_waits_for_more) {
  semaphore three(3);
  permit held = three.try_acquire(2);
  std::vector<std::size_t> order;
  const auto heavy = spawn_in_turn(three, take_turn(three, 3, 0, order));
  EXPECT_EQ(three.available(), 1);
  EXPECT_FALSE(three.try_acquire(1)) << "though one is free";
  EXPECT_FALSE(three.try_acquire(0));
  const auto light = spawn_in_turn(three, take_turn(three, 1, 1, order));
  ASSERT_TRUE(nothing_runs());
  EXPECT_FALSE(light.done());
  held.give_back();
  ASSERT_TRUE(ends(heavy) && ends(light));
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(three.available(), 3);
}

// Rule 80.
TEST_P(semaphores, permits_by_weight_are_granted_together) {
  semaphore six(6);
  permit held = six.try_acquire(6);
  const auto two = spawn_in_turn(six, take(six, 2));
  const auto four = spawn_in_turn(six, take(six, 4));
  const auto nothing = spawn_in_turn(six, take(six, 0));
  held.give_back();
  ASSERT_TRUE(ends(two) && ends(four) && ends(nothing));
  EXPECT_EQ(two.result(), 2U);
  EXPECT_EQ(four.result(), 4U);
  EXPECT_EQ(nothing.result(), 0U);
  EXPECT_EQ(six.available(), 6);
}

// Rule 80.
TEST_P(semaphores, a_cancelled_waiter_leaves_and_the_next_gets_the_permit) {
  semaphore one(1);
  permit held = one.try_acquire();
  auto first = spawn_in_turn(one, take(one, 1));
  const auto second = spawn_in_turn(one, take(one, 1));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(first.cancel("enough"));
  ASSERT_TRUE(ends(first));
  EXPECT_TRUE(first.cancelled());
  EXPECT_EQ(one.waiting(), 1U);
  held.give_back();
  ASSERT_TRUE(ends(second));
  EXPECT_EQ(second.result(), 1U);
  EXPECT_EQ(one.available(), 1);
}

// Rule 80.
TEST_P(semaphores, a_cancelled_heavy_waiter_lets_the_lighter_ones_go) {
  semaphore three(3);
  const permit held = three.try_acquire(1);
  auto heavy = spawn_in_turn(three, take(three, 3));
  const auto one = spawn_in_turn(three, take(three, 1));
  const auto other = spawn_in_turn(three, take(three, 1));
  ASSERT_TRUE(nothing_runs());
  heavy.cancel();
  ASSERT_TRUE(ends(heavy) && ends(one) && ends(other));
  EXPECT_TRUE(heavy.cancelled());
  EXPECT_EQ(one.result(), 1U);
  EXPECT_EQ(three.available(), 2);
}

// Rules 27 and 80: what was granted is not lost.
TEST_P(semaphores, who_is_cancelled_after_the_grant_passes_it_on) {
  semaphore one(1);
  permit held = one.try_acquire();
  auto first = spawn_in_turn(one, take(one, 1));
  const auto second = spawn_in_turn(one, take(one, 1));
  ASSERT_TRUE(nothing_runs());
  // On a worker, so that with one worker, or none, it has not gone on when it is cancelled.
  const auto grant_and_cancel = [&]() -> magpie::task<bool> {
    held.give_back();
    co_return first.cancel();
  };
  const bool came_in_time = runtime.block_on(grant_and_cancel());
  ASSERT_TRUE(ends(first) && ends(second));
  if (GetParam() <= 1) {
    EXPECT_TRUE(came_in_time);
  }
  EXPECT_EQ(first.cancelled(), came_in_time);
  EXPECT_EQ(second.result(), 1U);
  EXPECT_EQ(one.available(), 1);
}

TEST_P(semaphores, a_timeout_ends_a_wait) {
  semaphore none(0);
  const auto body = [&]() -> magpie::task<> {
    auto limited = magpie::wait_for(take(none, 1), 10ms);
    co_await limited;
  };
  EXPECT_THROW(runtime.block_on(body()), magpie::timeout_error);
  EXPECT_EQ(none.waiting(), 0U);
  none.release();
  EXPECT_EQ(none.available(), 1);
}

TEST_P(semaphores, who_was_asked_to_end_before_does_not_wait) {
  semaphore none(0);
  const auto body = [&]() -> magpie::task<> {
    magpie::current_task().cancel();
    const permit held = co_await none.acquire();
  };
  auto handle = runtime.spawn(body());
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(none.waiting(), 0U);
}

// Rule 80.
TEST_P(semaphores, a_bounded_one_refuses_over_release) {
  semaphore two(2, {.beyond = magpie::over_release::refused});
  EXPECT_THROW(two.release(), magpie::invalid_state);
  two.try_acquire(2).detach();
  EXPECT_THROW(two.release(3), magpie::invalid_state);
  two.release(1);
  EXPECT_EQ(two.available(), 1);
  two.release(1);
  EXPECT_THROW(two.release(), magpie::invalid_state);
  EXPECT_EQ(two.available(), 2);
  two.resize(3);
  EXPECT_EQ(two.available(), 3);
  EXPECT_THROW(two.release(), magpie::invalid_state);

  semaphore open(0);
  open.release(5);
  EXPECT_EQ(open.available(), 5);
}

TEST_P(semaphores, resized_while_in_use) {
  semaphore two(2);
  permit held = two.try_acquire(2);
  const auto waiting = spawn_in_turn(two, take(two, 3));
  two.resize(1);
  EXPECT_EQ(two.available(), -1);
  held.give_back();
  EXPECT_EQ(two.available(), 1);
  ASSERT_TRUE(nothing_runs());
  EXPECT_FALSE(waiting.done()) << "there are not three in all";
  two.resize(3);
  ASSERT_TRUE(ends(waiting));
  EXPECT_EQ(two.available(), 3);
  two.resize(0);
  EXPECT_EQ(two.available(), 0);
  EXPECT_FALSE(two.try_acquire());
}

TEST_P(semaphores, the_largest_numbers_do_not_overflow) {
  constexpr auto largest = static_cast<std::size_t>(-1);
  semaphore all(largest);
  permit held = all.try_acquire(largest);
  ASSERT_TRUE(held);
  EXPECT_EQ(all.available(), 0);
  all.release(largest);
  held.give_back();
  all.release(largest);
  EXPECT_GT(all.available(), 0);
  all.resize(0);
  all.resize(largest);
  EXPECT_GT(all.available(), 0);
}

TEST_P(semaphores, the_last_to_be_granted_may_destroy_it) {
  for (int i = 0; i < 200; ++i) {
    auto gate = std::make_unique<semaphore>(0);
    semaphore& opened = *gate;
    const auto opener = [&]() -> magpie::task<> {
      co_await magpie::yield();
      opened.release();
    };
    const auto waiter = [&]() -> magpie::task<> {
      (co_await gate->acquire()).detach();
      gate.reset();
    };
    const auto both = [&]() -> magpie::task<> { co_await magpie::gather(waiter(), opener()); };
    runtime.block_on(both());
    EXPECT_EQ(gate, nullptr);
  }
}

TEST_P(semaphores, never_more_than_there_are_at_once) {
  semaphore three(3);
  std::atomic<std::size_t> inside{0};
  std::atomic<std::size_t> most{0};
  const auto child = [&](std::size_t weight) -> magpie::task<> {
    const permit held = co_await three.acquire(weight);
    const std::size_t now = inside.fetch_add(weight) + weight;
    std::size_t seen = most.load();
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    co_await magpie::yield();
    inside.fetch_sub(weight);
  };
  std::vector<magpie::task<>> children;
  for (std::size_t i = 0; i < 300; ++i) children.push_back(child(1 + i % 3));
  const auto all = [&]() -> magpie::task<> { co_await magpie::gather(std::move(children)); };
  runtime.block_on(all());
  EXPECT_EQ(most, 3U);
  EXPECT_EQ(three.available(), 3);
}

TEST_P(semaphores, are_shared_by_the_tasks_of_two_runtimes) {
  if (is_virtual()) GTEST_SKIP() << "other threads do not count there";
  magpie::runtime other{settings()};
  semaphore one(1);
  int shared = 0;
  const auto body = [&]() -> magpie::task<> {
    for (int i = 0; i < 500; ++i) {
      const permit held = co_await one.acquire();
      ++shared;  // what the race detector watches
      if (i % 16 == 0) co_await magpie::yield();
    }
  };
  ASSERT_TRUE(magpie::test::end_on_both(runtime, other, body));
  EXPECT_EQ(shared, 4000);
}

TEST_P(semaphores, tell_what_a_task_waits_for) {
  semaphore none(0);
  auto handle = spawn_in_turn(none, take(none, 1));
  ASSERT_TRUE(nothing_runs());
  EXPECT_NE(handle.waiting_for().find("semaphore"), std::string::npos) << handle.waiting_for();
  none.release();
  ASSERT_TRUE(ends(handle));
}

TEST(semaphore_death_test, destroyed_while_somebody_waits) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto destroy_too_early = [] {
    magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
    auto none = std::make_unique<semaphore>(0);
    const auto handle = runtime.spawn(take(*none, 1));
    runtime.run_until_idle();
    none.reset();
  };
  EXPECT_DEATH(destroy_too_early(), "nobody to wait for a semaphore that is destroyed");
}

}  // namespace
