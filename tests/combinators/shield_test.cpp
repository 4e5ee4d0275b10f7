#include <magpie/shield.hpp>

#include <gtest/gtest.h>

#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <stdexcept>
#include <utility>

#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::eventually;

class shield : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_RUNTIME(shield);

magpie::task<int> give(int value) { co_return value; }

magpie::task<int> fail() {
  co_await magpie::yield();
  throw std::runtime_error("inner");
}

magpie::task<int> sleep_long() {
  co_await magpie::sleep_for(1000h);
  co_return 1;
}

magpie::task<int> wait_shielded(magpie::task_handle<int> inner) {
  co_return co_await magpie::shield(std::move(inner));
}

magpie::task<int> wait_a_moment(magpie::task_handle<int> inner) {
  co_return co_await magpie::wait_for(magpie::shield(std::move(inner)), 1ms);
}

// Rule 29: result and exception are passed on.
TEST_P(shield, gives_what_the_task_gives) {
  EXPECT_EQ(runtime.block_on(magpie::shield(give(7))), 7);
  EXPECT_EQ(runtime.block_on(wait_shielded(runtime.spawn(give(8)))), 8);
  EXPECT_THROW(runtime.block_on(magpie::shield(fail())), std::runtime_error);
}

// Rule 29: cancelling who waits leaves the task running.
TEST_P(shield, keeps_a_request_from_the_task) {
  const auto inner = runtime.spawn(sleep_long());
  const auto outer = runtime.spawn(wait_shielded(inner));
  EXPECT_TRUE(outer.cancel("enough"));
  ASSERT_TRUE(eventually([&] { return outer.done(); }));
  EXPECT_TRUE(outer.cancelled());
  EXPECT_FALSE(inner.done());
  EXPECT_EQ(inner.cancelling(), 0U);
}

// Rule 29: the task itself is cancelled.
TEST_P(shield, tells_that_the_task_was_cancelled) {
  const auto inner = runtime.spawn(sleep_long());
  const auto outer = runtime.spawn(wait_shielded(inner));
  EXPECT_TRUE(inner.cancel());
  ASSERT_TRUE(eventually([&] { return outer.done(); }));
  EXPECT_TRUE(outer.cancelled());
  EXPECT_EQ(outer.cancelling(), 0U);
}

// Rule 49.
TEST_P(shield, keeps_a_timeout_from_the_task) {
  const auto inner = runtime.spawn(sleep_long());
  EXPECT_THROW(runtime.block_on(wait_a_moment(inner)), magpie::timeout_error);
  EXPECT_FALSE(inner.done());
  EXPECT_EQ(inner.cancelling(), 0U);
}

// Rule 45.
TEST_P(shield, gives_what_is_there_when_there_is_no_time) {
  const auto done = runtime.spawn(give(5));
  const auto failed = runtime.spawn(fail());
  const auto inner = runtime.spawn(sleep_long());
  ASSERT_TRUE(eventually([&] { return done.done() && failed.done(); }));
  EXPECT_EQ(runtime.block_on(magpie::wait_for(magpie::shield(done), 0ms)), 5);
  EXPECT_THROW(runtime.block_on(magpie::wait_for(magpie::shield(failed), 0ms)), std::runtime_error);
  EXPECT_THROW(runtime.block_on(magpie::wait_for(magpie::shield(inner), 0ms)),
               magpie::timeout_error);
  EXPECT_THROW(runtime.block_on(magpie::wait_for(magpie::shield(inner), -1h)),
               magpie::timeout_error);
  EXPECT_EQ(inner.cancelling(), 0U);
}

// A shield that had to wait moves the result out if it has the last handle.
TEST_P(shield, gives_a_result_that_cannot_be_copied) {
  const auto give_late = []() -> magpie::task<std::unique_ptr<int>> {
    co_await magpie::yield();
    co_return std::make_unique<int>(6);
  };
  const auto body = [&]() -> magpie::task<int> {
    co_return *co_await magpie::shield(magpie::spawn(give_late()));
  };
  EXPECT_EQ(runtime.block_on(body()), 6);
}

}  // namespace
