#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <string>

#include "support/eventually.hpp"
#include "support/threads.hpp"
#include "support/worker_counts.hpp"

namespace magpie::test {

/// A fixture that can wait until all its tasks are where they are to be cancelled.
class cancelling : public each_worker_count {
 protected:
  /// Waits until no task is running: all are suspended or have ended.
  [[nodiscard]] bool nothing_runs() const {
    return !once_asleep("magpie-", GetParam() + 1).empty();
  }

  magpie::runtime runtime{{.workers = GetParam()}};
};

template <class Handle>
[[nodiscard]] bool ends(const Handle& handle) {
  return eventually([&] { return handle.done(); });
}

/// What `cancelled` carries that an ended task threw.
template <class Handle>
[[nodiscard]] std::string reason_of(const Handle& handle) {
  try {
    handle.result();
  } catch (const cancelled& stopped) {
    return stopped.reason();
  } catch (...) {
    return "(another exception)";
  }
  return "(a result)";
}

// Nobody waits for these hours.

inline task<int> sleep_and_give(int value) {
  co_await sleep_for(std::chrono::hours(1000));
  co_return value;
}

/// Gives the reason for which the sleep ended.
inline task<std::string> swallow() {
  try {
    co_await sleep_for(std::chrono::hours(1000));
  } catch (const cancelled& stopped) {
    co_return stopped.reason();
  }
  co_return "(slept)";
}

/// Does not suspend until it is told to: what is asked of the task meanwhile is pending.
inline void compute_until(const std::atomic<bool>& open) {
  EXPECT_TRUE(eventually([&] { return open.load(); }));
}

}  // namespace magpie::test
