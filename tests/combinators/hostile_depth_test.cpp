#include <gtest/gtest.h>

#include <chrono>
#include <magpie/errors.hpp>
#include <magpie/gather.hpp>
#include <magpie/runtime.hpp>
#include <magpie/timeout.hpp>
#include <utility>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

// What is nested deeply costs as much for each level as what is not: a cost that grew with the
// depth would take minutes here. Nobody waits for the hours.

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::test::ends;
using magpie::test::sleep_long;

class hostile_depth : public magpie::test::cancelling {
 protected:
  [[nodiscard]] static int depth() { return magpie::test::throws_slowly ? 3'000 : 100'000; }

  void cancel_when_suspended(task<> nest) {
    const auto handle = runtime.spawn(std::move(nest));
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(handle.cancel());
    ASSERT_TRUE(ends(handle));
    EXPECT_TRUE(handle.cancelled());
  }
};
MAGPIE_FOR_EACH_RUNTIME(hostile_depth);

task<> nested_limits(int depth, task<> (*innermost)()) {
  if (depth == 0) co_return co_await innermost();
  co_await magpie::wait_for(nested_limits(depth - 1, innermost), 500h);
}

task<> nested_gathers(int depth) {
  if (depth == 0) co_return co_await sleep_long();
  co_await magpie::gather(nested_gathers(depth - 1));
}

TEST_P(hostile_depth, of_limits_that_are_kept) {
  const auto nothing = []() -> task<> { co_return; };
  runtime.block_on(nested_limits(depth(), nothing));
}

TEST_P(hostile_depth, of_limits_around_a_cancelled_sleep) {
  cancel_when_suspended(nested_limits(depth(), &sleep_long));
}

TEST_P(hostile_depth, of_gathers_around_a_cancelled_sleep) {
  cancel_when_suspended(nested_gathers(depth()));
}

/// The outermost time runs out.
TEST_P(hostile_depth, of_limits_around_a_sleep_whose_time_runs_out) {
  const auto limited = []() -> task<> {
    co_await magpie::wait_for(nested_limits(depth(), &sleep_long), 300ms);
  };
  EXPECT_THROW(runtime.block_on(limited()), magpie::timeout_error);
}

}  // namespace
