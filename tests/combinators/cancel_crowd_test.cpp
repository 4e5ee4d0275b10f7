#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/errors.hpp>
#include <magpie/gather.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/stop_token.hpp>
#include <magpie/timeout.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/outcome_text.hpp"
#include "support/tasks.hpp"
#include "support/threads.hpp"
#include "support/timing_out.hpp"

// Rules 93 and 94: a request goes through a scope with many members in parts, and what may take
// long is not done on the thread that keeps the time. Nobody waits for the long sleeps.

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::timeout_scope;
using magpie::test::await_handle;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::limited;
using magpie::test::outcome;
using magpie::test::outcome_within;
using magpie::test::published_scope;
using magpie::test::sleep_and_give;
using magpie::test::sleep_long;

constexpr std::size_t many = 2'000;

class cancelling_a_crowd : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(cancelling_a_crowd);

/// Counts the children of a crowd that were told.
class crowd {
 public:
  /// What the children wait for: a sleep, or in turn each of what a scope can have as members.
  enum class kind { sleeps, all };

  explicit crowd(kind which) : which_(which) {}

  task<> run() {
    std::vector<task<>> children;
    children.reserve(many);
    for (std::size_t i = 0; i < many; ++i) children.push_back(child(i));
    co_await magpie::gather(std::move(children));
  }

  [[nodiscard]] std::size_t told() const { return told_; }
  [[nodiscard]] std::size_t stopped_by_timekeeper() const { return stopped_by_timekeeper_; }

 private:
  task<> child(std::size_t number) {
    const counted local;
    bool was_told = false;
    try {
      co_await wait(which_ == kind::sleeps ? 0 : number % 4);
    } catch (const magpie::cancelled&) {
      was_told = true;
    }
    told_ += was_told ? 1 : 0;
  }

  task<> wait(std::size_t what) {
    switch (what) {
      case 0:
        co_await sleep_long();
        break;
      case 1:
        co_await magpie::wait_for(sleep_long(), 500h);
        break;
      case 2:
        co_await magpie::spawn(sleep_and_give(2));
        break;
      default:
        co_await magpie::with_stop_token(
            [this](std::stop_token token) { return sleep_with(std::move(token)); });
    }
  }

  task<> sleep_with(std::stop_token token) {
    const auto note = [this] {
      if (magpie::test::this_thread_name() == "magpie-time") ++stopped_by_timekeeper_;
    };
    const std::stop_callback noted(token, note);
    co_await sleep_long();
  }

  const kind which_;
  std::atomic<std::size_t> told_{0};
  std::atomic<std::size_t> stopped_by_timekeeper_{0};
};

TEST_P(cancelling_a_crowd, tells_each_child_of_a_request_to_the_task) {
  crowd all(crowd::kind::all);
  const auto parent = runtime.spawn(all.run());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(parent.cancel());
  ASSERT_TRUE(ends(parent));
  EXPECT_EQ(all.told(), many);
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(cancelling_a_crowd, tells_each_child_when_a_timeout_expires) {
  for (const crowd::kind which : {crowd::kind::sleeps, crowd::kind::all}) {
    crowd all(which);
    published_scope limit;
    const auto body = [&](timeout_scope& scope) -> task<> {
      limit.publish(scope);  // which has begun
      co_await all.run();
    };
    const auto parent = runtime.spawn(outcome(limited(1000h, body)));
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(limit.wait().reschedule(1ms));
    EXPECT_EQ(runtime.block_on(await_handle(parent)), "timeout");
    EXPECT_EQ(all.told(), many);
    EXPECT_EQ(all.stopped_by_timekeeper(), 0U);
  }
  EXPECT_EQ(counted::alive(), 0);
}

// Waits come and go while several requests are on their way through the scope.
TEST_P(cancelling_a_crowd, tells_each_child_of_requests_that_meet) {
  std::atomic<std::size_t> told{0};
  std::atomic<std::size_t> begun{0};
  const auto child = [&told, &begun](std::size_t number) -> task<> {
    ++begun;
    for (int left = 2; left != 0;) {
      bool was_told = false;
      try {
        co_await magpie::sleep_for(std::chrono::microseconds(number % 100));
        co_await magpie::sleep_for(std::chrono::milliseconds(1));
      } catch (const magpie::cancelled&) {
        was_told = true;
      }
      left -= was_told ? 1 : 0;
      told += was_told ? 1 : 0;
    }
  };
  published_scope limit;
  const auto body = [&](timeout_scope& scope) -> task<> {
    limit.publish(scope);
    std::vector<task<>> children;
    for (std::size_t i = 0; i < many; ++i) children.push_back(child(i));
    co_await magpie::gather(std::move(children));
  };
  const auto parent = runtime.spawn(limited(1000h, body));
  const auto some_time = [this] {
    if (runtime.worker_count() == 0) runtime.run_for(1ms);
  };
  ASSERT_TRUE(eventually([&] {
    some_time();
    return begun == many;
  }));
  EXPECT_TRUE(limit.wait().reschedule(1ms));
  // Requests that come at once may be delivered as one, so it may take more than two.
  EXPECT_TRUE(eventually([&] {
    parent.cancel();
    some_time();
    return parent.done();
  }));
  EXPECT_EQ(told, 2 * many);
}

// All workers compute. Nobody else could stop the token.
TEST_P(cancelling_a_crowd, stops_a_token_that_every_worker_looks_at) {
  if (runtime.worker_count() == 0) GTEST_SKIP() << "time stands still while a task computes";
  const auto compute = [](std::stop_token token) -> task<> {
    while (!token.stop_requested()) std::this_thread::yield();
    co_return;
  };
  const auto stoppable = [&compute]() -> task<> { co_await magpie::with_stop_token(compute); };
  const auto run = [&stoppable]() -> task<> { co_await magpie::wait_for(stoppable(), 1000h); };
  std::vector<magpie::task_handle<std::string>> all;
  for (std::size_t i = 0; i < runtime.worker_count(); ++i) {
    all.push_back(runtime.spawn(outcome_within(run(), 5ms)));
  }
  // The time may be over before the computation begins.
  for (const auto& each : all) EXPECT_NE(each.get(), "cancelled");
}

}  // namespace
