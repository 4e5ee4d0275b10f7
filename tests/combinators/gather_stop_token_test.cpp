#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <magpie/errors.hpp>
#include <magpie/gather.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/stop_token.hpp>
#include <stop_token>

#include "support/cancelling.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::test::ends;

class gather_stop_token : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(gather_stop_token);

TEST_P(gather_stop_token, stops_those_of_all_children_and_of_awaited_tasks) {
  std::array<std::stop_token, 3> tokens;
  std::atomic<int> begun{0};
  const auto child = [&begun](std::stop_token& seen) -> magpie::task<> {
    const auto body = [&](std::stop_token token) -> magpie::task<> {
      seen = token;
      ++begun;
      co_await magpie::sleep_for(1000h);
    };
    co_await magpie::with_stop_token(body);
  };
  const auto run = [&]() -> magpie::task<> {
    const auto spawned = magpie::spawn(child(tokens[0]));
    const auto await_spawned = [&]() -> magpie::task<> { co_await spawned; };
    co_await magpie::gather(child(tokens[1]), child(tokens[2]), await_spawned());
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  ASSERT_EQ(begun, 3);
  for (const std::stop_token& each : tokens) EXPECT_FALSE(each.stop_requested());
  handle.cancel();
  for (const std::stop_token& each : tokens) EXPECT_TRUE(each.stop_requested());
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
}

TEST_P(gather_stop_token, is_a_fresh_one_for_who_cleans_up) {
  const auto body = [](std::stop_token token) -> magpie::task<bool> {
    co_await magpie::sleep_for(1ms);
    co_return token.stop_requested();
  };
  std::atomic<int> cleaned_up{0};
  const auto child = [&]() -> magpie::task<> {
    bool is_told = false;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      is_told = true;
    }
    EXPECT_TRUE(is_told);
    const bool is_stopped = co_await magpie::with_stop_token(body);
    EXPECT_FALSE(is_stopped);
    ++cleaned_up;
  };
  const auto run = [&]() -> magpie::task<> { co_await magpie::gather(child(), child()); };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  handle.cancel();
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(cleaned_up, 2);
}

}  // namespace
