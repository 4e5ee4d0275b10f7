#include <magpie/event.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <magpie/latch.hpp>
#include <magpie/magpie.hpp>
#include <memory>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::event;
using magpie::latch;
using magpie::test::ends;

class events : public magpie::test::cancelling {
 protected:
  static magpie::task<int> wait_for_event(event& awaited) {
    co_await awaited.wait();
    co_return 1;
  }

  /// Spawns tasks that wait, and returns when all do.
  std::vector<magpie::task_handle<int>> spawn_waiting(event& awaited, std::size_t count) {
    std::vector<magpie::task_handle<int>> handles;
    for (std::size_t i = 0; i < count; ++i) {
      handles.push_back(runtime.spawn(wait_for_event(awaited)));
    }
    EXPECT_TRUE(nothing_runs());
    return handles;
  }
};
MAGPIE_FOR_EACH_RUNTIME(events);

// Rule 78.
TEST_P(events, a_wait_for_what_has_happened_does_not_suspend) {
  event happened;
  EXPECT_FALSE(happened.is_set());
  happened.set();
  happened.set();
  EXPECT_TRUE(happened.is_set());
  const auto body = [&]() -> magpie::task<> {
    auto waiting = happened.wait();
    const bool is_ready = waiting.await_ready();
    EXPECT_TRUE(is_ready);
    waiting.await_resume();
    co_return;
  };
  runtime.block_on(body());
  happened.clear();
  EXPECT_FALSE(happened.is_set());
}

/// Sets the event when a wait has looked at it, and before it suspends.
class set_in_between {
 public:
  explicit set_in_between(event& happens) : happens_(happens), waiting_(happens.wait()) {}

  [[nodiscard]] bool await_ready() {
    const bool is_ready = waiting_.await_ready();
    happens_.set();
    return is_ready;
  }
  [[nodiscard]] bool await_suspend(magpie::detail::task_coroutine suspended) {
    return waiting_.await_suspend(suspended);
  }
  void await_resume() { waiting_.await_resume(); }

 private:
  event& happens_;
  event::waiting waiting_;
};

TEST_P(events, see_what_happens_while_a_wait_begins) {
  event happens;
  const auto body = [&]() -> magpie::task<> { co_await set_in_between(happens); };
  runtime.block_on(body());
}

// Rule 78.
TEST_P(events, set_and_clear_wake_all_that_waited) {
  event happens;
  for (int round = 0; round < 3; ++round) {
    const auto handles = spawn_waiting(happens, 50);
    for (const auto& each : handles) EXPECT_FALSE(each.done());
    happens.set();
    happens.clear();
    for (const auto& each : handles) ASSERT_TRUE(ends(each));
    const auto later = spawn_waiting(happens, 1);
    EXPECT_FALSE(later[0].done());
    later[0].cancel();
    ASSERT_TRUE(ends(later[0]));
    EXPECT_TRUE(later[0].cancelled());
  }
}

// Rules 27 and 78.
TEST_P(events, who_is_cancelled_leaves_the_others_waiting) {
  event happens;
  auto handles = spawn_waiting(happens, 10);
  for (std::size_t i = 0; i < 10; i += 2) handles[i].cancel();
  for (std::size_t i = 0; i < 10; i += 2) {
    ASSERT_TRUE(ends(handles[i]));
    EXPECT_TRUE(handles[i].cancelled());
  }
  happens.set();
  for (std::size_t i = 1; i < 10; i += 2) {
    ASSERT_TRUE(ends(handles[i]));
    EXPECT_EQ(handles[i].result(), 1);
  }
}

TEST_P(events, a_time_limit_ends_a_wait) {
  event never;
  EXPECT_THROW(runtime.block_on(magpie::wait_for(never.wait(), 1ms)), magpie::timeout_error);
  const auto handles = spawn_waiting(never, 1);
  EXPECT_EQ(handles[0].waiting_for(), "event");
  never.set();
  ASSERT_TRUE(ends(handles[0]));
}

TEST_P(events, are_shared_by_the_tasks_of_two_runtimes) {
  if (is_virtual()) GTEST_SKIP() << "other threads do not count there";
  magpie::runtime other{settings()};
  event happens;
  int written_before = 0;
  const auto read = [&]() -> magpie::task<int> {
    co_await happens.wait();
    co_return written_before;  // what the race detector watches
  };
  std::vector<magpie::task_handle<int>> handles;
  for (int i = 0; i < 20; ++i) {
    handles.push_back(runtime.spawn(read()));
    handles.push_back(other.spawn(read()));
  }
  written_before = 7;
  happens.set();
  for (const auto& each : handles) {
    ASSERT_TRUE(ends(each));
    EXPECT_EQ(each.result(), 7);
  }
}

// A task that an event has woken may destroy it.
TEST_P(events, may_be_destroyed_by_who_has_waited) {
  const auto body = [&]() -> magpie::task<> {
    for (int i = 0; i < 200; ++i) {
      auto happens = std::make_unique<event>();
      const auto setter = [](event& happened) -> magpie::task<> {
        happened.set();
        co_return;
      };
      const auto setting = magpie::spawn(setter(*happens));
      co_await happens->wait();
      happens.reset();
      co_await setting;
    }
  };
  runtime.block_on(body());
}

TEST_P(events, refuse_a_wait_outside_of_a_task) {
  event happens;
  EXPECT_THROW(static_cast<void>(happens.wait().await_ready()), magpie::invalid_state);
}

TEST(event_death_test, destroyed_while_somebody_waits) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto destroy_too_early = [] {
    magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
    auto never = std::make_unique<event>();
    const auto wait = [&]() -> magpie::task<> { co_await never->wait(); };
    const auto handle = runtime.spawn(wait());
    runtime.run_until_idle();
    never.reset();
  };
  EXPECT_DEATH(destroy_too_early(), "nobody to wait for an event that is destroyed");
}

class latches : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(latches);

TEST_P(latches, let_all_go_when_the_count_is_zero) {
  latch three(3);
  std::vector<int> parts(3);
  const auto work = [&](std::size_t number) -> magpie::task<> {
    parts[number] = static_cast<int>(number) + 1;
    three.count_down();
    co_return;
  };
  const auto wait = [&]() -> magpie::task<int> {
    co_await three.wait();
    co_return parts[0] + parts[1] + parts[2];
  };
  const auto body = [&]() -> magpie::task<> {
    const auto [first, one, two, last, other] =
        co_await magpie::gather(wait(), work(0), work(1), work(2), wait());
    EXPECT_EQ(first, 6);
    EXPECT_EQ(other, 6);
    co_await three.wait();
  };
  runtime.block_on(body());
  EXPECT_EQ(three.left(), 0U);
}

TEST_P(latches, count_whoever_arrives) {
  latch all(20);
  const auto arrive = [&]() -> magpie::task<> { co_await all.arrive_and_wait(); };
  std::vector<magpie::task_handle<>> handles;
  for (int i = 0; i < 20; ++i) handles.push_back(runtime.spawn(arrive()));
  for (const auto& each : handles) ASSERT_TRUE(ends(each));
}

TEST_P(latches, refuse_to_go_below_zero) {
  latch two(2);
  EXPECT_THROW(two.count_down(3), magpie::invalid_state);
  EXPECT_EQ(two.left(), 2U);
  two.count_down(0);
  two.count_down(2);
  EXPECT_THROW(two.count_down(), magpie::invalid_state);
  latch none(0);
  const auto wait = [&]() -> magpie::task<> { co_await none.wait(); };
  runtime.block_on(wait());
}

}  // namespace
