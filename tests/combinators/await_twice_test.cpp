#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "support/each_runtime.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::test::give;

class awaited_twice : public magpie::test::on_each_runtime {
 protected:
  /// Awaits twice what `make()` returns, which is moved before. Gives what the second await throws.
  template <class Make>
  [[nodiscard]] std::string second_await(Make make) {
    const auto body = [&]() -> task<std::string> {
      auto first = make();
      auto made = std::move(first);
      static_cast<void>(co_await made);
      try {
        static_cast<void>(co_await made);
      } catch (const magpie::invalid_state& refused) {
        co_return refused.what();
      }
      co_return "(nothing)";
    };
    return runtime.block_on(body());
  }
  static constexpr const char* refusal =
      "magpie: expected an awaitable that is awaited for the first time";
};
MAGPIE_FOR_EACH_RUNTIME(awaited_twice);

// Rule 101.

TEST_P(awaited_twice, sleeps_and_yields_throw) {
  EXPECT_EQ(second_await([] { return magpie::yield(); }), refusal);
  EXPECT_EQ(second_await([] { return magpie::checkpoint(); }), refusal);
  EXPECT_EQ(second_await([] { return magpie::sleep_for(1us); }), refusal);
  EXPECT_EQ(second_await([] { return magpie::sleep_until(magpie::now() + 1us); }), refusal);
}

TEST_P(awaited_twice, gathers_throw) {
  EXPECT_EQ(second_await([] { return magpie::gather(); }), refusal);
  EXPECT_EQ(second_await([] { return magpie::gather(give(1), give(2)); }), refusal);
  const auto many = [](std::size_t count) {
    std::vector<task<int>> bodies;
    for (std::size_t i = 0; i < count; ++i) bodies.push_back(give(1));
    return magpie::gather(std::move(bodies));
  };
  EXPECT_EQ(second_await([&] { return many(0); }), refusal);
  EXPECT_EQ(second_await([&] { return many(100); }), refusal);
}

TEST_P(awaited_twice, waits_for_handles_throw) {
  const auto spawned = [] { return magpie::spawn(give(1)); };
  const auto several = [&] { return std::vector<magpie::task_handle<int>>{spawned(), spawned()}; };
  EXPECT_EQ(second_await([&] { return magpie::gather(spawned(), spawned()); }), refusal);
  EXPECT_EQ(second_await([&] { return magpie::gather(several()); }), refusal);
  EXPECT_EQ(second_await([&] { return magpie::wait(several()); }), refusal);
  EXPECT_EQ(second_await([&] { return magpie::shield(spawned()); }), refusal);
  const auto body = [&]() -> task<> {
    auto stream = magpie::as_completed(several());
    auto next = stream.next();
    static_cast<void>(co_await next);
    EXPECT_THROW(static_cast<void>(co_await next), magpie::invalid_state);
    EXPECT_EQ(stream.remaining(), 1U) << "nothing was lost";
  };
  runtime.block_on(body());
}

TEST_P(awaited_twice, timeouts_throw) {
  EXPECT_EQ(second_await([] { return magpie::wait_for(give(1), 1h); }), refusal);
  const auto body = [](magpie::timeout_scope&) { return give(1); };
  EXPECT_EQ(second_await([&] { return magpie::with_timeout(1h, body); }), refusal);
}

TEST_P(awaited_twice, bridges_throw) {
  EXPECT_EQ(second_await([] { return magpie::run_blocking([] { return 1; }); }), refusal);
  const auto body = [](const std::stop_token&) { return give(1); };
  EXPECT_EQ(second_await([&] { return magpie::with_stop_token(body); }), refusal);
  std::stop_source source;
  EXPECT_EQ(second_await([&] { return magpie::stopped_by(source.get_token(), give(1)); }), refusal);
}

TEST_P(awaited_twice, acquisitions_and_submissions_throw) {
  magpie::semaphore permits(1);
  EXPECT_EQ(second_await([&] { return permits.acquire(); }), refusal);
  EXPECT_EQ(permits.available(), 1);
  const auto work = [](std::vector<int> items) -> task<std::vector<int>> { co_return items; };
  magpie::batcher<int, int> batches({.size = 1}, work);
  EXPECT_EQ(second_await([&] { return batches.submit(1); }), refusal);
}

}  // namespace
