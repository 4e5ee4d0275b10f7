#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <magpie/magpie.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/outcome_text.hpp"
#include "support/tasks.hpp"

// Rule 91: whoever has been cancelled, and by whatever, cleans up with limits, waits and
// checkpoints as any other code.

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::test::ends;
using magpie::test::fail;
using magpie::test::give_after;
using magpie::test::outcome_within;
using magpie::test::sleep_long;
using magpie::test::swallow;

class clean_up : public magpie::test::cancelling {
 protected:
  /// Cancels a task in which a child is suspended.
  template <class Body>
  void cancel_suspended(Body body) {
    const auto parent = runtime.spawn(body());
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(parent.cancel());
    ASSERT_TRUE(ends(parent));
    EXPECT_TRUE(parent.cancelled());
  }

  static constexpr const char* as_usual = "timeout, 1 pending, passed";
};
MAGPIE_FOR_EACH_RUNTIME(clean_up);

task<int> be_cancelled(std::string& seen) {
  co_await swallow();
  seen = co_await outcome_within(sleep_long(), 1ms);
  const std::vector<magpie::task_handle<>> others{magpie::spawn(sleep_long())};
  const auto found = co_await magpie::wait(others, magpie::until::all_completed, 1ms);
  seen += ", " + std::to_string(found.pending.size()) + " pending";
  others[0].cancel();
  co_await magpie::checkpoint();
  seen += ", passed";
  co_return 1;
}

TEST_P(clean_up, of_the_child_of_a_gather) {
  std::string seen;
  cancel_suspended([&]() -> task<> { co_await magpie::gather(be_cancelled(seen), sleep_long()); });
  EXPECT_EQ(seen, as_usual);
}

TEST_P(clean_up, of_the_child_of_a_group) {
  std::string seen;
  const auto body = [&](magpie::task_group& group) -> task<> {
    group.spawn(be_cancelled(seen));
    co_await sleep_long();
  };
  cancel_suspended([&]() -> task<> { co_await magpie::with_task_group(body); });
  EXPECT_EQ(seen, as_usual);
}

TEST_P(clean_up, of_the_child_of_a_group_that_fails) {
  std::string seen;
  std::atomic<bool> has_begun{false};
  const auto child = [&]() -> task<> {
    has_begun = true;
    co_await be_cancelled(seen);
  };
  const auto body = [&](magpie::task_group& group) -> task<> {
    group.spawn(child());
    while (!has_begun) co_await magpie::sleep_for(1ms);
    group.spawn(fail("a sibling"));
  };
  const auto run = [&]() -> task<> { co_await magpie::with_task_group(body); };
  EXPECT_THROW(runtime.block_on(run()), magpie::exception_group);
  EXPECT_EQ(seen, as_usual);
}

TEST_P(clean_up, of_a_contender) {
  std::string seen;
  cancel_suspended(
      [&]() -> task<> { co_await magpie::race(be_cancelled(seen), give_after(1000h, 2)); });
  EXPECT_EQ(seen, as_usual);
}

TEST_P(clean_up, of_a_loser) {
  std::string seen;
  EXPECT_EQ(runtime.block_on(magpie::race(be_cancelled(seen), give_after(1ms, 2))), 2);
  EXPECT_EQ(seen, as_usual);
}

TEST_P(clean_up, of_what_ran_out_of_time) {
  std::string seen;
  // It swallows the end of its time.
  EXPECT_EQ(runtime.block_on(magpie::wait_for(be_cancelled(seen), 1ms)), 1);
  EXPECT_EQ(seen, as_usual);
}

}  // namespace
