#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/errors.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <stop_token>
#include <thread>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/threads.hpp"
#include "support/worker_counts.hpp"

// Blocking calls whose tasks are cancelled.

namespace {

using namespace std::chrono_literals;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::once_asleep;
using magpie::test::reason_of;
using magpie::test::scaled;

class cancellable_run_blocking : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam(), .max_blocking_threads = 8}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(cancellable_run_blocking);

/// A function that runs until it is let go, or until its token is stopped.
struct long_call {
  void run() {
    begun = true;
    EXPECT_TRUE(eventually([&] { return released.load(); }));
    ended = true;
  }
  void run_until_told(const std::stop_token& token) {
    begun = true;
    EXPECT_TRUE(eventually([&] { return token.stop_requested(); }));
    ended = true;
  }

  std::atomic<bool> begun{false};
  std::atomic<bool> released{false};
  std::atomic<bool> ended{false};
};

// Rule 86: cancelling the wait returns at once while the function runs on; the end of the runtime
// waits for it.
TEST_P(cancellable_run_blocking, when_cancelled_leaves_the_function_running) {
  long_call running;
  {
    magpie::runtime short_lived{{.workers = GetParam()}};
    const auto call = [&]() -> magpie::task<> {
      const counted captured(3);
      const auto function = [&running, captured] {
        running.run();
        return captured;
      };
      co_await magpie::run_blocking(function);
    };
    const auto handle = short_lived.spawn(call());
    ASSERT_TRUE(eventually([&] { return running.begun.load(); }));
    EXPECT_TRUE(handle.cancel("enough"));
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(reason_of(handle), "enough");
    EXPECT_FALSE(running.ended);
    running.released = true;
  }
  EXPECT_TRUE(running.ended);
  EXPECT_EQ(counted::alive(), 0);
}

// Rule 86: the function is told.
TEST_P(cancellable_run_blocking, tells_the_function_by_its_token) {
  long_call told;
  {
    magpie::runtime short_lived{{.workers = GetParam()}};
    const auto call = [&]() -> magpie::task<> {
      co_await magpie::run_blocking([&told](std::stop_token token) { told.run_until_told(token); });
    };
    const auto handle = short_lived.spawn(call());
    ASSERT_TRUE(eventually([&] { return told.begun.load(); }));
    handle.cancel();
    ASSERT_TRUE(ends(handle));
    EXPECT_TRUE(handle.cancelled());
  }
  EXPECT_TRUE(told.ended);
}

TEST_P(cancellable_run_blocking, gives_a_token_that_is_not_stopped_to_who_takes_one) {
  const auto call = []() -> magpie::task<bool> {
    // Could be called without, too.
    const auto function = [](auto... token) { return (... && !token.stop_requested()); };
    co_return co_await magpie::run_blocking(function);
  };
  EXPECT_TRUE(runtime.block_on(call()));
}

TEST_P(cancellable_run_blocking, is_left_by_a_timeout) {
  long_call told;
  const auto call = [&]() -> magpie::task<> {
    co_await magpie::run_blocking([&told](std::stop_token token) { told.run_until_told(token); });
  };
  const auto limited = [&]() -> magpie::task<> {
    EXPECT_THROW(co_await magpie::wait_for(call(), 1ms), magpie::timeout_error);
  };
  {
    magpie::runtime short_lived{{.workers = GetParam()}};
    short_lived.block_on(limited());
  }
  // The call may have been told before it began; then it was never made.
  EXPECT_EQ(told.ended, told.begun);
}

// Rule 86: a call that has not begun is never made.
TEST_P(cancellable_run_blocking, never_makes_a_call_that_was_cancelled_in_the_queue) {
  long_call first;
  std::atomic<int> made{0};
  {
    magpie::runtime narrow{{.workers = GetParam(), .max_blocking_threads = 1}};
    const auto block = [&]() -> magpie::task<> {
      co_await magpie::run_blocking([&first] { first.run(); });
    };
    const auto queue = [&]() -> magpie::task<> {
      const counted captured(1);
      const auto function = [&made, captured] { made += captured.value; };
      co_await magpie::run_blocking(function);
    };
    const auto blocked = narrow.spawn(block());
    ASSERT_TRUE(eventually([&] { return first.begun.load(); }));
    std::vector<magpie::task_handle<>> queued;
    for (int i = 0; i < 5; ++i) queued.push_back(narrow.spawn(queue()));
    // Each is suspended, or will find the request when it is about to be.
    for (std::size_t i : {2U, 0U, 4U, 1U}) {
      queued[i].cancel();
      ASSERT_TRUE(ends(queued[i]));
      EXPECT_TRUE(queued[i].cancelled());
    }
    EXPECT_TRUE(eventually([] { return counted::alive() == 3; }));  // of the call that waits
    first.released = true;
    EXPECT_TRUE(ends(queued[3]));
    EXPECT_FALSE(queued[3].cancelled());
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(counted::alive(), 0);
}

// Rule 86: not even when a thread of the pool comes to it before the task has been woken.
TEST_P(cancellable_run_blocking, never_makes_a_call_that_was_cancelled_while_all_workers_compute) {
  long_call first;
  std::atomic<bool> made{false};
  std::atomic<std::size_t> computing{0};
  std::atomic<bool> open{false};
  magpie::runtime narrow{{.workers = GetParam(), .max_blocking_threads = 1}};
  const auto block = [&]() -> magpie::task<> {
    co_await magpie::run_blocking([&first] { first.run(); });
  };
  const auto queue = [&]() -> magpie::task<> {
    co_await magpie::run_blocking([&made] { made = true; });
  };
  const auto compute = [&]() -> magpie::task<> {
    ++computing;
    EXPECT_TRUE(eventually([&] { return open.load(); }));
    co_return;
  };
  const auto blocked = narrow.spawn(block());
  ASSERT_TRUE(eventually([&] { return first.begun.load(); }));
  const auto queued = narrow.spawn(queue());
  for (std::size_t i = 0; i < GetParam(); ++i) narrow.spawn(compute());
  ASSERT_TRUE(eventually([&] { return computing == GetParam(); }));
  EXPECT_TRUE(queued.cancel());
  first.released = true;
  ASSERT_TRUE(eventually([&] { return first.ended.load(); }));
  ASSERT_FALSE(once_asleep("magpie-blocking", 1).empty()) << "it has nothing more to do";
  open = true;
  ASSERT_TRUE(ends(queued));
  EXPECT_TRUE(queued.cancelled());
  ASSERT_TRUE(ends(blocked));
  EXPECT_FALSE(made);
}

TEST_P(cancellable_run_blocking, does_not_begin_when_the_task_has_been_cancelled) {
  std::atomic<bool> made{false};
  const auto call = [&]() -> magpie::task<> {
    magpie::current_task().cancel();
    co_await magpie::run_blocking([&made] { made = true; });
  };
  const auto handle = runtime.spawn(call());
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  EXPECT_FALSE(made);
}

TEST_P(cancellable_run_blocking, is_awaited_in_peace_by_who_cleans_up) {
  const auto call = []() -> magpie::task<int> {
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
    }
    co_return co_await magpie::run_blocking([] { return 4; });
  };
  const auto handle = runtime.spawn(call());
  handle.cancel();
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled() || handle.result() == 4);  // cancelled: it never began
}

// A stop callback may do anything with the task that was cancelled: no lock is held.
TEST_P(cancellable_run_blocking, calls_stop_callbacks_without_a_lock) {
  std::atomic<bool> begun{false};
  std::atomic<int> called{0};
  magpie::task_handle<> handle;
  const auto call = [&]() -> magpie::task<> {
    const auto function = [&](std::stop_token token) {
      const auto use_the_task = [&] {
        EXPECT_TRUE(handle.cancel("again"));
        EXPECT_EQ(magpie::current_task(), handle);
        EXPECT_FALSE(handle.name().empty());
        ++called;
      };
      const std::stop_callback callback(token, use_the_task);
      begun = true;
      EXPECT_TRUE(eventually([&] { return called != 0; }));
    };
    co_await magpie::run_blocking(function);
  };
  {
    magpie::runtime short_lived{{.workers = GetParam()}};
    std::atomic<bool> is_known{false};
    const auto call_when_known = [&]() -> magpie::task<> {
      while (!is_known) co_await magpie::yield();
      co_await call();
    };
    handle = short_lived.spawn(call_when_known());
    is_known = true;
    ASSERT_TRUE(eventually([&] { return begun.load(); }));
    handle.cancel();
    ASSERT_TRUE(ends(handle));
  }
  EXPECT_EQ(called, 1);
  handle = {};
}

TEST_P(cancellable_run_blocking, decides_between_its_end_and_a_cancel) {
  const int rounds = static_cast<int>(scaled(5000));
  int finished = 0;
  int stopped = 0;
  for (int i = 0; i < rounds; ++i) {
    std::atomic<bool> go{false};
    const auto call = [&]() -> magpie::task<int> {
      const counted captured(i);
      const auto function = [captured, &go] {
        while (!go.load()) std::this_thread::yield();
        return captured;
      };
      const counted result = co_await magpie::run_blocking(function);
      co_return result.value;
    };
    const auto handle = runtime.spawn(call());
    for (int turn = 0; turn < i % 3; ++turn) std::this_thread::yield();
    const bool is_first = i % 2 == 0;
    if (is_first) go = true;
    const bool accepted = handle.cancel();
    go = true;
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(handle.cancelled(), accepted);
    EXPECT_TRUE(handle.cancelled() || handle.result() == i);
    ++(handle.cancelled() ? stopped : finished);
    ASSERT_TRUE(eventually([] { return counted::alive() == 0; }));
  }
  EXPECT_GT(stopped, 0);
  EXPECT_EQ(stopped + finished, rounds);
}

}  // namespace
