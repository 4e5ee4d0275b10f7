#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <magpie/errors.hpp>
#include <magpie/task.hpp>
#include <magpie/yield.hpp>
#include <stdexcept>
#include <string>

#include "support/eventually.hpp"

namespace magpie::test {

inline task<int> give(int value) { co_return value; }

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

template <class Handle>
void wait_until_done(const Handle& handle) {
  EXPECT_TRUE(eventually([&] { return handle.done(); }));
}

}  // namespace magpie::test
