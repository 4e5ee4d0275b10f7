#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <magpie/clock.hpp>
#include <magpie/errors.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>
#include <magpie/yield.hpp>
#include <stdexcept>
#include <string>

#include "support/eventually.hpp"

namespace magpie::test {

inline task<int> give(int value) { co_return value; }

inline task<int> give_after(duration delay, int value) {
  co_await sleep_for(delay);
  co_return value;
}

inline task<int> give_after_yields(int value, int yields) {
  for (int i = 0; i < yields; ++i) co_await yield();
  co_return value;
}

/// Gives `value` when another thread has set the flag.
inline task<int> give_when(std::atomic<bool>& open, int value) {
  while (!open) co_await yield();
  co_return value;
}

inline task<int> fail(std::string what) {
  throw std::runtime_error(what);
  co_return 0;
}

/// Ends as a cancelled task does.
inline task<int> stop(std::string reason) {
  throw cancelled(reason);
  co_return 0;
}

/// Nobody waits for these hours.
inline task<> sleep_long() { co_await sleep_for(std::chrono::hours(1000)); }

/// Gives the time that it has slept, by the clock.
inline task<duration> nap(duration delay) {
  const auto begin = clock::now();
  co_await sleep_for(delay);
  co_return clock::now() - begin;
}

template <class Handle>
void wait_until_done(const Handle& handle) {
  EXPECT_TRUE(eventually([&] { return handle.done(); }));
}

}  // namespace magpie::test
