#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <ranges>
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
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after;
using magpie::test::sleep_and_give;
using magpie::test::sleep_long;

std::vector<int> numbers(int count) {
  std::vector<int> all;
  for (int i = 0; i < count; ++i) all.push_back(i);
  return all;
}

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

// In ranges.

TEST_P(any_awaitable, is_gathered_from_a_range) {
  run([]() -> task<> {
    std::vector<decltype(magpie::sleep_for(1us))> sleeps;
    for (int i = 0; i < 5; ++i) sleeps.push_back(magpie::sleep_for(i * 1us));
    co_await magpie::gather(std::move(sleeps));

    std::vector<decltype(magpie::wait_for(give(1), 1h))> limited;
    for (int i = 0; i < 5; ++i) limited.push_back(magpie::wait_for(give(i), 1h));
    const auto results = co_await magpie::gather(std::move(limited));
    EXPECT_EQ(results, numbers(5));

    const auto made = std::views::iota(0, 5) | std::views::transform([](int i) {
                        return magpie::wait_for(i % 2 == 0 ? give(i) : sleep_and_give(i), 1ms);
                      });
    const auto outcomes = co_await magpie::gather(magpie::return_exceptions, made);
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(outcomes[static_cast<std::size_t>(i)].has_value(), i % 2 == 0);
    }
  });
}

TEST_P(any_awaitable, contends_from_a_range) {
  run([]() -> task<> {
    std::vector<decltype(magpie::wait_for(give(1), 1h))> limited;
    limited.push_back(magpie::wait_for(sleep_and_give(1), 1h));
    limited.push_back(magpie::wait_for(give(2), 1h));
    const int first = co_await magpie::race(std::move(limited));
    EXPECT_EQ(first, 2);

    // Handles are copied, and those that lose are cancelled.
    const std::vector handles{magpie::spawn(sleep_and_give(1)), magpie::spawn(give(2))};
    const int winner = co_await magpie::race(handles);
    EXPECT_EQ(winner, 2);
    EXPECT_TRUE(handles[0].cancelled());

    const std::vector others{magpie::spawn(fail("first")), magpie::spawn(give(3))};
    const int value = co_await magpie::first_success(others);
    EXPECT_EQ(value, 3);
    const auto made = std::views::iota(0, 3) | std::views::transform([](int i) { return give(i); });
    const int any = co_await magpie::first_success(made);
    EXPECT_LT(any, 3);
  });
}

TEST_P(any_awaitable, is_limited_from_a_range) {
  run([]() -> task<> {
    std::vector<decltype(magpie::wait_for(give(1), 1h))> limited;
    for (int i = 0; i < 5; ++i) limited.push_back(magpie::wait_for(give(i), 1h));
    const auto results = co_await magpie::limit_concurrency(2, std::move(limited));
    EXPECT_EQ(results, numbers(5));
    const auto sleeps = std::views::iota(0, 5) |
                        std::views::transform([](int i) { return magpie::sleep_for(i * 1us); });
    co_await magpie::limit_rate(magpie::rate{5, 1ms}, sleeps);
  });
}

TEST_P(any_awaitable, is_given_as_it_completes) {
  run([]() -> task<> {
    const auto later = std::views::iota(0, 4) |
                       std::views::transform([](int i) { return give_after((4 - i) * 10ms, i); });
    int sum = 0;
    auto finished = magpie::as_completed(later, 1h);
    while (const auto next = co_await finished.next()) sum += next->result();
    EXPECT_EQ(sum, 6);
    std::vector<decltype(magpie::sleep_for(1us))> sleeps;
    sleeps.push_back(magpie::sleep_for(1us));
    auto slept = magpie::as_completed(std::move(sleeps));
    const auto first = co_await slept.next();
    EXPECT_TRUE(first.has_value());
  });
}

// From functions.

TEST_P(any_awaitable, is_returned_by_functions) {
  run([]() -> task<> {
    const auto limited = [](int i) { return magpie::wait_for(give(i), 1h); };
    const auto mapped = co_await magpie::map_concurrent(numbers(5), 2, limited);
    EXPECT_EQ(mapped, numbers(5));
    const auto spawned = [](int i) { return magpie::spawn(give(i)); };
    const auto batched = co_await magpie::batch(numbers(5), {.size = 2}, spawned);
    EXPECT_EQ(batched, numbers(5));
    int sum = 0;
    auto unordered = magpie::map_unordered(numbers(5), 2, spawned);
    while (const auto next = co_await unordered.next()) sum += *next;
    EXPECT_EQ(sum, 10);
  });
}

TEST_P(any_awaitable, is_returned_by_attempts_and_bodies) {
  run([]() -> task<> {
    int attempts = 0;
    const auto attempt = [&attempts] {
      return magpie::spawn(++attempts < 3 ? fail("not yet") : give(7));
    };
    const int retried = co_await magpie::retry({.attempts = 5}, attempt);
    EXPECT_EQ(retried, 7);
    EXPECT_EQ(attempts, 3);
    const auto hedged = [](std::size_t) { return magpie::race(give(8), sleep_and_give(9)); };
    const int first = co_await magpie::hedge({.delay = 1h}, hedged);
    EXPECT_EQ(first, 8);
    const auto body = [](magpie::task_group& group) {
      return magpie::wait_for(group.spawn(give(10)), 1h);
    };
    const int grouped = co_await magpie::with_task_group(body);
    EXPECT_EQ(grouped, 10);
    const auto sleep = [](magpie::task_group&) { return magpie::sleep_for(1us); };
    co_await magpie::with_task_group(sleep);
  });
}

}  // namespace
