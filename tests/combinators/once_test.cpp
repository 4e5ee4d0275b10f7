#include <magpie/once.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <magpie/magpie.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"

namespace {

using magpie::lazy;
using magpie::once;
using magpie::test::ends;

class onces : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(onces);

TEST_P(onces, call_once_for_all) {
  once done;
  int calls = 0;
  const auto make = [&]() -> magpie::task<> {
    co_await magpie::yield();
    ++calls;
  };
  const auto body = [&]() -> magpie::task<> {
    EXPECT_FALSE(done.is_done() && calls == 0);
    co_await done.call(make);
    EXPECT_TRUE(done.is_done());
    EXPECT_EQ(calls, 1);
  };
  std::vector<magpie::task_handle<>> handles;
  for (int i = 0; i < 20; ++i) handles.push_back(runtime.spawn(body()));
  for (const auto& each : handles) {
    ASSERT_TRUE(ends(each));
    each.result();
  }
  EXPECT_EQ(calls, 1);
}

TEST_P(onces, a_failure_is_that_of_its_caller_alone) {
  once done;
  std::atomic<int> calls{0};
  const auto make = [&]() -> magpie::task<> {
    co_await magpie::yield();
    if (++calls < 3) throw std::runtime_error("not yet");
  };
  const auto body = [&]() -> magpie::task<bool> {
    try {
      co_await done.call(make);
      co_return true;
    } catch (const std::runtime_error&) {
    }
    co_return false;
  };
  std::vector<magpie::task_handle<bool>> handles;
  for (int i = 0; i < 8; ++i) handles.push_back(runtime.spawn(body()));
  int successes = 0;
  for (const auto& each : handles) {
    ASSERT_TRUE(ends(each));
    successes += each.result() ? 1 : 0;
  }
  EXPECT_EQ(successes, 6);
  EXPECT_EQ(calls, 3);
}

TEST_P(onces, a_cancelled_call_is_begun_anew_by_the_next) {
  once done;
  std::atomic<int> calls{0};
  std::atomic<bool> may_end{false};
  const auto make = [&]() -> magpie::task<> {
    ++calls;
    while (!may_end) co_await magpie::yield();
  };
  const auto body = [&]() -> magpie::task<> { co_await done.call(make); };
  auto first = runtime.spawn(body());
  ASSERT_TRUE(magpie::test::eventually([&] { return calls == 1; }));
  const auto second = runtime.spawn(body());
  first.cancel();
  ASSERT_TRUE(ends(first));
  EXPECT_TRUE(first.cancelled());
  ASSERT_TRUE(magpie::test::eventually([&] { return calls == 2; }));
  EXPECT_FALSE(done.is_done());
  may_end = true;
  ASSERT_TRUE(ends(second));
  EXPECT_TRUE(done.is_done());
}

TEST_P(onces, a_lazy_value_is_computed_by_the_first) {
  int calls = 0;
  const auto compute = [&]() -> magpie::task<std::string> {
    co_await magpie::yield();
    ++calls;
    co_return "value";
  };
  lazy<std::string> value(compute);
  EXPECT_EQ(value.try_get(), nullptr);
  const auto get = [&]() -> magpie::task<const std::string*> {
    const std::string& got = co_await value.get();
    co_return &got;
  };
  std::vector<magpie::task_handle<const std::string*>> handles;
  for (int i = 0; i < 20; ++i) handles.push_back(runtime.spawn(get()));
  for (const auto& each : handles) {
    ASSERT_TRUE(ends(each));
    EXPECT_EQ(each.result(), value.try_get());
    EXPECT_EQ(*each.result(), "value");
  }
  EXPECT_EQ(calls, 1);
}

TEST_P(onces, a_lazy_value_that_fails_is_computed_again) {
  int calls = 0;
  const auto compute = [&]() -> magpie::task<int> {
    if (++calls == 1) throw std::runtime_error("not yet");
    co_return calls;
  };
  lazy<long> value(compute);
  const auto get = [&]() -> magpie::task<long> { co_return co_await value.get(); };
  EXPECT_THROW(static_cast<void>(runtime.block_on(get())), std::runtime_error);
  EXPECT_EQ(value.try_get(), nullptr);
  EXPECT_EQ(runtime.block_on(get()), 2);
  EXPECT_EQ(runtime.block_on(get()), 2);
}

}  // namespace
