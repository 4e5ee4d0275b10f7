#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>
#include <string>
#include <vector>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/threads.hpp"

namespace magpie::test {

/// Waits until nothing runs on any runtime, each of which has a thread for each worker and one
/// that keeps the time: all tasks are suspended or have ended.
[[nodiscard]] inline bool nothing_runs(std::size_t workers, std::size_t runtimes = 1) {
  return !once_asleep("magpie-", workers + runtimes).empty();
}

/// The same for the tasks of one runtime, which may have no workers: then this thread runs them.
[[nodiscard]] inline bool nothing_runs(magpie::runtime& runtime) {
  if (runtime.worker_count() != 0) return nothing_runs(runtime.worker_count());
  runtime.run_until_idle();
  return true;
}

/// A fixture that can wait until all its tasks are where they are to be cancelled.
class cancelling : public on_each_runtime {
 protected:
  [[nodiscard]] bool nothing_runs() { return test::nothing_runs(runtime); }
};

/// Runs eight tasks that `make()` makes, half of them on each runtime. Returns whether they end.
template <class Make>
[[nodiscard]] bool end_on_both(magpie::runtime& one, magpie::runtime& other, Make make) {
  std::vector<task_handle<>> handles;
  for (int i = 0; i < 4; ++i) {
    handles.push_back(one.spawn(make()));
    handles.push_back(other.spawn(make()));
  }
  return std::ranges::all_of(
      handles, [](const auto& each) { return eventually([&] { return each.done(); }); });
}

/// A fixture whose tasks leave no `counted` behind.
class leaving_nothing : public cancelling {
 protected:
  ~leaving_nothing() override { EXPECT_EQ(counted::alive(), 0); }
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

/// Awaits the task through this copy of its handle.
template <class T>
task<T> await_handle(task_handle<T> awaited) {
  co_return co_await awaited;
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
