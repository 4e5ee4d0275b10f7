#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/tasks.hpp"

// Rule 95: what can be awaited in a task is taken wherever a task is.

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::test::give;
using magpie::test::give_after;
using magpie::test::sleep_long;

class any_awaitable : public magpie::test::cancelling {
 protected:
  template <class Body>
  void run(Body body) {
    runtime.block_on(body());
  }
};
MAGPIE_FOR_EACH_RUNTIME(any_awaitable);

TEST_P(any_awaitable, is_gathered) {
  run([]() -> task<> {
    magpie::semaphore permits(1);
    const auto spawned = magpie::spawn(give(1));
    const auto [slept, limited, raced, awaited, permit, inner] = co_await magpie::gather(
        magpie::sleep_for(1us), magpie::wait_for(give(2), 1h), magpie::race(give(3), sleep_long()),
        spawned, permits.acquire(), magpie::gather(give(4), magpie::yield()));
    static_assert(std::is_same_v<decltype(slept), const std::monostate>);
    EXPECT_EQ(limited, 2);
    EXPECT_EQ(raced.index(), 0U);
    EXPECT_EQ(awaited, 1);
    EXPECT_EQ(permit.weight(), 1U);
    EXPECT_EQ(permits.available(), 0);
    EXPECT_EQ(std::get<0>(inner), 4);
  });
}

TEST_P(any_awaitable, is_gathered_with_its_outcome) {
  run([]() -> task<> {
    const auto [late, quick] = co_await magpie::gather(
        magpie::return_exceptions, magpie::wait_for(sleep_long(), 1ms), magpie::yield());
    EXPECT_THROW(std::rethrow_exception(late.error()), magpie::timeout_error);
    EXPECT_TRUE(quick.has_value());
  });
}

TEST_P(any_awaitable, takes_part_in_a_race) {
  run([]() -> task<> {
    magpie::semaphore none(0);
    EXPECT_EQ((co_await magpie::race(none.acquire(), magpie::sleep_for(1ms))).index(), 1U);
    EXPECT_EQ(none.waiting(), 0U);
    const auto loser = magpie::spawn(sleep_long());
    co_await magpie::race(loser, magpie::yield());
    EXPECT_TRUE(loser.cancelled());
    EXPECT_EQ(co_await magpie::first_success(magpie::wait_for(give(5), 1h), give_after(1h, 6)), 5);
  });
}

TEST_P(any_awaitable, is_spawned) {
  run([]() -> task<> {
    EXPECT_EQ(co_await magpie::spawn(magpie::wait_for(give(1), 1h)), 1);
    const auto named = magpie::spawn(magpie::sleep_for(1000h), {.name = "nap"});
    EXPECT_EQ(named.name(), "nap");
    EXPECT_TRUE(named.cancel());
    co_await magpie::with_task_group([](magpie::task_group& group) -> task<> {
      group.spawn(magpie::sleep_for(1us));
      EXPECT_EQ(std::get<0>(co_await group.spawn(magpie::gather(give(2)))), 2);
    });
  });
  EXPECT_EQ(runtime.block_on(magpie::wait_for(give(3), 1h)), 3);
  EXPECT_EQ(runtime.block_on(runtime.spawn(magpie::gather(give(4), give(5)))), std::tuple(4, 5));
}

TEST_P(any_awaitable, is_limited) {
  run([]() -> task<> {
    magpie::semaphore permits(1);
    const magpie::permit held = co_await magpie::wait_for(permits.acquire(), 1h);
    EXPECT_TRUE(held);
    EXPECT_THROW(static_cast<void>(co_await magpie::wait_for(permits.acquire(), 1ms)),
                 magpie::timeout_error);
    EXPECT_EQ(permits.waiting(), 0U);
    EXPECT_THROW(co_await magpie::wait_for(magpie::sleep_for(1000h), 1ms), magpie::timeout_error);
    const auto body = [](magpie::timeout_scope&) { return magpie::gather(give(1), give(2)); };
    EXPECT_EQ(co_await magpie::with_timeout(1h, body), std::tuple(1, 2));
    EXPECT_EQ(co_await magpie::wait_for(magpie::run_blocking([] { return 7; }), 1h), 7);
  });
}

TEST_P(any_awaitable, is_shielded) {
  const auto shielding = runtime.spawn(magpie::shield(magpie::sleep_for(1000h)));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(shielding.cancel());
  ASSERT_TRUE(magpie::test::ends(shielding));
  EXPECT_TRUE(shielding.cancelled());
  EXPECT_EQ(runtime.all_tasks().size(), 1U) << "the sleep goes on";
}

}  // namespace
