#include <magpie/stop_token.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::reason_of;
using magpie::test::scaled;
using magpie::test::sleep_and_give;
using magpie::test::swallow;

/// Computes, without a suspension, until the token is stopped.
magpie::task<int> compute_until_stopped(std::stop_token token, std::atomic<bool>& begun) {
  begun = true;
  EXPECT_TRUE(eventually([&] { return token.stop_requested(); }));
  co_return 5;
}

class with_stop_token : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(with_stop_token);

class with_stop_token_by_threads : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_WORKER_COUNT(with_stop_token_by_threads);

TEST_P(with_stop_token, gives_what_the_body_gives) {
  int place = 1;
  const auto refer = [&place](std::stop_token) -> magpie::task<int&> { co_return place; };
  const auto own = [](std::stop_token token) -> magpie::task<std::unique_ptr<int>> {
    EXPECT_TRUE(token.stop_possible());
    co_await magpie::yield();
    EXPECT_FALSE(token.stop_requested());
    co_return std::make_unique<int>(7);
  };
  const auto broken = [](std::stop_token) -> magpie::task<> {
    co_await magpie::yield();
    throw std::runtime_error("broken");
  };
  const auto run = [&]() -> magpie::task<> {
    int& referred = co_await magpie::with_stop_token(refer);
    EXPECT_EQ(&referred, &place);
    const auto owned = co_await magpie::with_stop_token(own);
    EXPECT_EQ(*owned, 7);
    EXPECT_THROW(co_await magpie::with_stop_token(broken), std::runtime_error);
  };
  runtime.block_on(run());
}

TEST_P(with_stop_token_by_threads, stops_the_token_while_the_body_computes) {
  std::atomic<bool> begun{false};
  std::atomic<int> given{0};
  const auto body = [&](std::stop_token token) { return compute_until_stopped(token, begun); };
  const auto run = [&]() -> magpie::task<> {
    given = co_await magpie::with_stop_token(body);
    co_await magpie::yield();
    co_await magpie::sleep_for(1000h);
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(eventually([&] { return begun.load(); }));
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(given, 5);  // the body's result; the request came at the next wait
  EXPECT_EQ(reason_of(handle), "enough");
}

TEST_P(with_stop_token_by_threads, stops_the_token_when_a_timeout_is_over_though_all_compute) {
  std::atomic<bool> begun{false};
  const auto compute = [&](magpie::timeout_scope& scope) -> magpie::task<int> {
    const auto body = [&](std::stop_token token) -> magpie::task<int> {
      EXPECT_TRUE(scope.reschedule(1ms));  // now: if it were over before, this would not begin
      co_return co_await compute_until_stopped(token, begun);
    };
    co_return co_await magpie::with_stop_token(body);
  };
  const auto run = [&]() -> magpie::task<int> {
    co_return co_await magpie::with_timeout(1000h, compute);
  };
  EXPECT_EQ(runtime.block_on(run()), 5);
}

TEST_P(with_stop_token, stops_the_token_and_cancels_the_waits) {
  std::stop_token seen;
  std::atomic<bool> begun{false};
  const auto body = [&](std::stop_token token) -> magpie::task<> {
    seen = token;
    begun = true;
    co_await magpie::sleep_for(1000h);
  };
  const auto run = [&]() -> magpie::task<> { co_await magpie::with_stop_token(body); };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  ASSERT_TRUE(begun);
  EXPECT_TRUE(handle.cancel("enough"));
  EXPECT_TRUE(seen.stop_requested());  // by the thread that cancels
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "enough");
}

TEST_P(with_stop_token, leaves_the_token_alone_once_the_body_has_ended) {
  std::stop_token seen;
  const auto body = [&](std::stop_token token) -> magpie::task<> {
    seen = token;
    co_return;
  };
  const auto run = [&]() -> magpie::task<> {
    co_await magpie::with_stop_token(body);
    magpie::current_task().cancel();
    EXPECT_FALSE(seen.stop_requested());
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
}

TEST_P(with_stop_token, does_not_begin_in_a_task_that_was_asked_to_end) {
  bool begun = false;
  const auto body = [&](std::stop_token) -> magpie::task<> {
    begun = true;
    co_return;
  };
  const auto run = [&]() -> magpie::task<> {
    magpie::current_task().cancel();
    co_await magpie::with_stop_token(body);
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  EXPECT_FALSE(begun);
}

// A stop callback may do anything with the task that is cancelled: no lock is held.
TEST_P(with_stop_token, calls_callbacks_without_a_lock) {
  std::atomic<int> called{0};
  const auto body = [&](std::stop_token token) -> magpie::task<> {
    const auto self = magpie::current_task();
    const auto use_the_task = [&] {
      self.set_name("cancelled");
      EXPECT_TRUE(self.cancel("again"));
      ++called;
    };
    const std::stop_callback callback(token, use_the_task);
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      EXPECT_TRUE(eventually([&] { return called != 0; }));
      throw;
    }
  };
  const auto run = [&]() -> magpie::task<> { co_await magpie::with_stop_token(body); };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  handle.cancel();
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(called, 1);
  EXPECT_EQ(handle.name(), "cancelled");
}

TEST_P(with_stop_token, is_not_left_behind_by_a_request_that_was_delivered_first) {
  const auto rounds = scaled(20000);
  for (std::size_t i = 0; i < rounds; ++i) {
    std::stop_token seen;
    std::atomic<bool> begun{false};
    std::atomic<bool> stopped{false};
    const auto body = [&](std::stop_token token) -> magpie::task<> {
      begun = true;
      try {
        for (;;) co_await magpie::sleep_for(0s);
      } catch (const magpie::cancelled&) {
      }
      // Told itself; the token is stopped now, or in a moment.
      stopped = eventually([&] { return token.stop_requested(); });
    };
    const auto run = [&]() -> magpie::task<> { co_await magpie::with_stop_token(body); };
    const auto handle = runtime.spawn(run());
    ASSERT_TRUE(eventually([&] { return begun.load(); }));
    handle.cancel();
    ASSERT_TRUE(ends(handle));
    ASSERT_TRUE(stopped);
  }
}

class stopped_by : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(stopped_by);

class stopped_by_threads : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_WORKER_COUNT(stopped_by_threads);

TEST_P(stopped_by, gives_what_the_task_gives) {
  const std::stop_source source;
  const auto run = [&]() -> magpie::task<> {
    const int given = co_await magpie::stopped_by(source.get_token(), give(3));
    EXPECT_EQ(given, 3);
    const int without = co_await magpie::stopped_by(std::stop_token(), give(4));
    EXPECT_EQ(without, 4);
    EXPECT_THROW(co_await magpie::stopped_by(source.get_token(), fail("broken")),
                 std::runtime_error);
  };
  runtime.block_on(run());
}

template <class T>
magpie::task<T> await_stopped(std::stop_token token, magpie::task<T> awaited) {
  co_return co_await magpie::stopped_by(std::move(token), std::move(awaited));
}

TEST_P(stopped_by, cancels_the_task_when_the_token_is_stopped) {
  std::stop_source source;
  const auto handle = runtime.spawn(await_stopped(source.get_token(), sleep_and_give(1)));
  ASSERT_TRUE(nothing_runs());
  source.request_stop();
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  EXPECT_EQ(handle.cancelling(), 0U);
}

TEST_P(stopped_by, cancels_that_task_alone) {
  std::stop_source source;
  const auto run = [&]() -> magpie::task<int> {
    EXPECT_THROW(co_await magpie::stopped_by(source.get_token(), sleep_and_give(1)),
                 magpie::cancelled);
    co_await magpie::sleep_for(1ms);  // in peace
    co_return 2;
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  source.request_stop();
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), 2);
}

TEST_P(stopped_by, passes_on_what_the_task_makes_of_it) {
  std::stop_source source;
  const auto handle = runtime.spawn(await_stopped(source.get_token(), swallow()));
  ASSERT_TRUE(nothing_runs());
  source.request_stop();
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "");  // ended by a `cancelled` without a reason
}

TEST_P(stopped_by, does_not_begin_a_task_whose_token_was_stopped_before) {
  std::stop_source source;
  source.request_stop();
  std::atomic<bool> begun{false};
  const auto body = [&]() -> magpie::task<> {
    begun = true;
    co_return;
  };
  EXPECT_THROW(runtime.block_on(await_stopped(source.get_token(), body())), magpie::cancelled);
  EXPECT_FALSE(begun);
}

TEST_P(stopped_by, may_be_stopped_by_the_task_itself) {
  std::stop_source source;
  const auto body = [&]() -> magpie::task<> {
    source.request_stop();
    co_await magpie::sleep_for(1000h);
  };
  EXPECT_THROW(runtime.block_on(await_stopped(source.get_token(), body())), magpie::cancelled);
}

TEST_P(stopped_by, passes_a_cancellation_on) {
  const std::stop_source source;
  const auto handle = runtime.spawn(await_stopped(source.get_token(), sleep_and_give(1)));
  ASSERT_TRUE(nothing_runs());
  handle.cancel("enough");
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "enough");
}

TEST_P(stopped_by_threads, cleans_up_in_peace_when_both_have_come) {
  std::stop_source source;
  std::atomic<bool> is_told{false};
  std::atomic<bool> open{false};
  const auto body = [&]() -> magpie::task<> {
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      is_told = true;
      EXPECT_TRUE(eventually([&] { return open.load(); }));
      throw;
    }
  };
  std::atomic<bool> cleaned_up{false};
  const auto run = [&]() -> magpie::task<> {
    bool is_cancelled = false;
    try {
      co_await magpie::stopped_by(source.get_token(), body());
    } catch (const magpie::cancelled&) {
      is_cancelled = true;
    }
    EXPECT_TRUE(is_cancelled);
    co_await magpie::sleep_for(1ms);
    cleaned_up = true;
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  source.request_stop();
  ASSERT_TRUE(eventually([&] { return is_told.load(); }));
  handle.cancel();
  open = true;
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(cleaned_up);
}

TEST_P(stopped_by, joins_with_with_stop_token) {
  // A request to the task stops the token, which cancels what runs under it in another task.
  const auto body = [&](std::stop_token token) -> magpie::task<> {
    const auto other = magpie::spawn(await_stopped(token, sleep_and_give(1)));
    EXPECT_TRUE(eventually([&] { return token.stop_requested(); }));
    EXPECT_TRUE(GetParam() == 1 || ends(other));
    co_return;
  };
  const auto run = [&]() -> magpie::task<> { co_await magpie::with_stop_token(body); };
  const auto handle = runtime.spawn(run());
  handle.cancel();
  ASSERT_TRUE(ends(handle));
}

TEST_P(stopped_by_threads, decides_between_the_end_and_the_stop) {
  const auto rounds = scaled(50000);
  std::size_t stopped = 0;
  const auto body = [](std::atomic<bool>& open) -> magpie::task<int> {
    const counted local;
    while (!open) co_await magpie::yield();
    co_await magpie::sleep_for(0s);
    co_return 1;
  };
  for (std::size_t i = 0; i < rounds; ++i) {
    std::stop_source source;
    std::atomic<bool> open{false};
    const auto handle = runtime.spawn(await_stopped(source.get_token(), body(open)));
    for (std::size_t turn = 0; turn < i % 3; ++turn) std::this_thread::yield();
    open = true;
    source.request_stop();
    ASSERT_TRUE(ends(handle));
    if (handle.cancelled()) {
      ++stopped;
    } else {
      EXPECT_EQ(handle.result(), 1);
    }
    EXPECT_EQ(counted::alive(), 0);
  }
  EXPECT_GT(stopped, 0U);
}

TEST(stop_token_misuse, outside_of_a_task_is_an_error) {
  const auto body = [](std::stop_token) -> magpie::task<> { co_return; };
  auto unstarted = magpie::with_stop_token(body);
  EXPECT_THROW(static_cast<void>(unstarted.await_ready()), magpie::invalid_state);
  auto not_begun = magpie::stopped_by(std::stop_token(), give(1));
  EXPECT_THROW(static_cast<void>(not_begun.await_ready()), magpie::invalid_state);
}

}  // namespace
