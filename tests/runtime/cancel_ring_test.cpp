#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/runtime.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/cancelling.hpp"
#include "support/scale.hpp"

// Rule 89: tasks that await each other never end of themselves, and a request to one of them has
// nobody to end first. One of them has to.

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::task_handle;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::reason_of;
using magpie::test::scaled;

/// Tasks each of which awaits the one before it, and the first the last.
class ring {
 public:
  ring(magpie::runtime& runtime, std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) {
      tasks_.push_back(runtime.spawn(await_neighbour(*this, i)));
    }
    is_closed_ = true;
  }

  [[nodiscard]] const task_handle<int>& operator[](std::size_t place) const {
    return tasks_[place % tasks_.size()];
  }
  [[nodiscard]] const std::vector<task_handle<int>>& tasks() const { return tasks_; }

 private:
  static task<int> await_neighbour(ring& mine, std::size_t place) {
    while (!mine.is_closed_) co_await magpie::yield();
    const task_handle<int> before = mine[place + mine.tasks_.size() - 1];
    co_return co_await before;
  }

  std::vector<task_handle<int>> tasks_;
  std::atomic<bool> is_closed_{false};
};

class cancel_ring : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(cancel_ring);

TEST_P(cancel_ring, of_any_length_ends) {
  for (const std::size_t length : std::array<std::size_t, 3>{2, 3, 100}) {
    const ring made(runtime, length);
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(made[1].cancel("enough"));
    for (const auto& each : made.tasks()) {
      ASSERT_TRUE(ends(each));
      EXPECT_EQ(reason_of(each), "enough");
    }
  }
}

TEST_P(cancel_ring, ends_before_it_waits) {
  // Asked at any moment of its beginning.
  for (std::size_t i = 0; i < 200; ++i) {
    const ring made(runtime, 3);
    EXPECT_TRUE(made[i].cancel());
    for (const auto& each : made.tasks()) {
      ASSERT_TRUE(ends(each));
      EXPECT_TRUE(each.cancelled());
    }
  }
}

TEST_P(cancel_ring, ends_by_a_timeout_of_one_in_it) {
  std::atomic<bool> is_closed{false};
  task_handle<int> limited;
  const auto await_limited = [&]() -> task<int> {
    while (!is_closed) co_await magpie::yield();
    co_return co_await limited;
  };
  const auto other = runtime.spawn(await_limited());
  const auto await_other = [&]() -> task<int> {
    while (!is_closed) co_await magpie::yield();
    co_return co_await magpie::wait_for(other, 1ms);
  };
  limited = runtime.spawn(await_other());
  is_closed = true;
  ASSERT_TRUE(ends(limited));
  EXPECT_THROW(limited.result(), magpie::timeout_error);
  ASSERT_TRUE(ends(other));
  EXPECT_TRUE(other.cancelled());
}

TEST_P(cancel_ring, that_is_reached_from_outside_ends) {
  for (const std::size_t length : std::array<std::size_t, 3>{2, 3, 100}) {
    const ring made(runtime, length);
    const auto look_in = [&]() -> task<int> { co_return co_await made[0]; };
    const auto outside = runtime.spawn(look_in());
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(outside.cancel("enough"));
    ASSERT_TRUE(ends(outside));
    EXPECT_EQ(reason_of(outside), "enough");
    for (const auto& each : made.tasks()) {
      ASSERT_TRUE(ends(each));
      EXPECT_EQ(reason_of(each), "enough");
      EXPECT_EQ(each.cancelling(), 1U);
    }
  }
}

TEST_P(cancel_ring, that_closes_after_the_request_ends) {
  for (const bool is_asked_first : {true, false}) {
    std::atomic<bool> is_closed{false};
    task_handle<int> first;
    const auto await_first = [&]() -> task<int> {
      while (!is_closed) co_await magpie::yield();
      if (!is_asked_first) magpie::current_task().cancel("enough");
      co_return co_await first;
    };
    const auto second = runtime.spawn(await_first());
    const auto await_second = [&]() -> task<int> {
      while (!is_closed) co_await magpie::yield();
      if (is_asked_first) magpie::current_task().cancel("enough");
      co_return co_await second;
    };
    first = runtime.spawn(await_second());
    is_closed = true;
    for (const auto& each : {first, second}) {
      ASSERT_TRUE(ends(each));
      EXPECT_EQ(reason_of(each), "enough");
    }
  }
}

TEST_P(cancel_ring, ends_with_the_runtime) {
  std::optional<ring> made;  // outlives the runtime, whose tasks use it
  const auto closing = std::make_unique<magpie::runtime>(settings());
  const magpie::test::driving_meanwhile while_waiting(*closing);
  made.emplace(*closing, 3);
}

class cancel_ring_of_threads : public magpie::test::each_worker_count {};
MAGPIE_FOR_EACH_WORKER_COUNT(cancel_ring_of_threads);

TEST_P(cancel_ring_of_threads, ends_however_many_cancel) {
  magpie::runtime runtime{{.workers = GetParam()}};
  for (std::size_t i = 0; i < scaled(50'000); ++i) {
    const ring made(runtime, 5);
    std::vector<std::thread> cancellers;
    for (std::size_t k = 0; k < 3; ++k) {
      cancellers.emplace_back([&made, k] { static_cast<void>(made[2 * k].cancel()); });
    }
    for (std::thread& each : cancellers) each.join();
    for (const auto& each : made.tasks()) ASSERT_TRUE(ends(each)) << "round " << i;
  }
}

}  // namespace
