#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/errors.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <thread>
#include <vector>

#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

// Runtimes without workers in a host that has its own loop, and the hook by which they wake it. The
// wall clock is a part of the subject, so these tests do sleep, but for milliseconds.

namespace {

using namespace std::chrono_literals;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::nap;
using magpie::test::scaled;
using magpie::test::sleep_long;

/// A host that waits for its events in poll(2), of which a call of its runtime is one.
class event_loop {
 public:
  event_loop() : wake_up_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~event_loop() { ::close(wake_up_); }
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  [[nodiscard]] magpie::runtime_options settings() {
    return {.workers = 0, .on_wake = [this] {
              ++calls;
              wake();
            }};
  }

  /// Has run() look at its condition. Any thread.
  void wake() {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(wake_up_, &one, sizeof one), ssize_t{sizeof one});
  }

  /// Runs what is ready, then sleeps until the next deadline or call; and so on. Fails when it
  /// sleeps so long that a call must have been lost.
  template <class Condition>
  [[nodiscard]] bool run(magpie::runtime& runtime, Condition until) {
    while (!until()) {
      if (runtime.poll_one()) continue;
      if (until()) return true;
      auto patience = std::chrono::ceil<std::chrono::milliseconds>(60s);
      const auto next = runtime.next_deadline();
      if (next) {
        patience = std::clamp(std::chrono::ceil<std::chrono::milliseconds>(*next - runtime.now()),
                              0ms, patience);
      }
      pollfd event{.fd = wake_up_, .events = POLLIN, .revents = 0};
      const int seen = ::poll(&event, 1, static_cast<int>(patience.count()));
      std::uint64_t count = 0;
      if (seen > 0) {
        EXPECT_EQ(::read(wake_up_, &count, sizeof count), ssize_t{sizeof count});
      } else if (seen == 0 && patience == 60s) {
        return false;
      }
    }
    return true;
  }

  std::atomic<std::size_t> calls{0};

 private:
  const int wake_up_;
};

TEST(host_driven_loop, is_called_once_for_all_that_comes_while_it_sleeps) {
  event_loop loop;
  magpie::runtime runtime{loop.settings()};
  magpie::task_handle<int> first;
  magpie::task_handle<int> second;
  const auto spawn_two = [&] {
    std::thread([&] {
      first = runtime.spawn(give(1));
      second = runtime.spawn(give(2));
    }).join();
  };
  spawn_two();
  EXPECT_EQ(loop.calls, 0U) << "it has not asked yet";
  EXPECT_TRUE(loop.run(runtime, [&] { return first.done() && second.done(); }));
  EXPECT_FALSE(runtime.poll_one());
  spawn_two();
  EXPECT_EQ(loop.calls, 1U);
  EXPECT_TRUE(loop.run(runtime, [&] { return first.done() && second.done(); }));
  EXPECT_EQ(loop.calls, 1U);
}

TEST(host_driven_loop, sleeps_until_its_timers_are_due) {
  event_loop loop;
  magpie::runtime runtime{loop.settings()};
  const auto sleeping = runtime.spawn(sleep_long());
  const auto napping = runtime.spawn(nap(5ms));
  EXPECT_TRUE(loop.run(runtime, [&] { return napping.done(); }));
  EXPECT_GE(napping.result(), 5ms);
}

TEST(host_driven_loop, loses_nothing_that_other_threads_ask) {
  event_loop loop;
  magpie::runtime runtime{loop.settings()};
  constexpr std::size_t threads = 4;
  const std::size_t rounds = scaled(5e4) / threads;
  std::atomic<std::size_t> ended{0};
  std::vector<std::thread> others;
  for (std::size_t t = 0; t < threads; ++t) {
    others.emplace_back([&] {
      for (std::size_t i = 0; i < rounds; ++i) {
        EXPECT_EQ(runtime.spawn(give_after_yields(7, i % 3 == 0 ? 1 : 0)).get(), 7);
        const auto sleeping = runtime.spawn(sleep_long());
        if (i % 2 == 0) std::this_thread::yield();
        EXPECT_TRUE(sleeping.cancel());
        EXPECT_THROW(sleeping.get(), magpie::cancelled);
        ++ended;
      }
      loop.wake();
    });
  }
  EXPECT_TRUE(loop.run(runtime, [&] { return ended == threads * rounds; }));
  if (testing::Test::HasFailure()) runtime.run_for(1s);
  for (std::thread& each : others) each.join();
  EXPECT_TRUE(runtime.all_tasks().empty());
}

TEST(host_driven_loop, is_called_when_a_blocking_call_is_over) {
  event_loop loop;
  magpie::runtime runtime{loop.settings()};
  std::atomic<bool> may_end{false};
  const auto call = [&]() -> magpie::task<int> {
    co_return co_await magpie::run_blocking([&] {
      EXPECT_TRUE(eventually([&] { return may_end.load(); }));
      return 8;
    });
  };
  const auto calling = runtime.spawn(call());
  runtime.run_until_idle();
  // It has found nothing to do, and does not look again before it is called.
  may_end = true;
  EXPECT_TRUE(eventually([&] { return loop.calls != 0; }));
  EXPECT_TRUE(loop.run(runtime, [&] { return calling.done(); }));
  EXPECT_EQ(calling.result(), 8);
  EXPECT_EQ(loop.calls, 1U);
}

}  // namespace
