#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <string>
#include <utility>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/outcome_text.hpp"

namespace magpie::test {

/// A timeout around `body`, which is there as long as this runs, as a lazy task.
template <class Limit, class Body>
task<> limited(Limit limit, Body& body) {
  co_await magpie::with_timeout(limit, std::ref(body));
}

/// Sleeps until it is told to end; then has others go on, says so, and passes it on.
inline task<> clean_up_slowly(std::atomic<bool>& cleaned_up) {
  const counted local;
  std::exception_ptr stopped;
  try {
    co_await sleep_for(std::chrono::hours(1000));
  } catch (const cancelled&) {
    stopped = std::current_exception();
  }
  for (int i = 0; i < 20; ++i) co_await yield();
  cleaned_up = true;
  std::rethrow_exception(std::move(stopped));
}

/// Where a body leaves its scope for others.
struct published_scope {
  void publish(timeout_scope& own) { scope = &own; }
  [[nodiscard]] timeout_scope& wait() const {
    EXPECT_TRUE(eventually([&] { return scope.load() != nullptr; }));
    return *scope;
  }

  std::atomic<timeout_scope*> scope{nullptr};
};

/// A fixture that runs a task and says what came of it.
class timing_out : public on_each_runtime {
 protected:
  template <class T>
  std::string outcome_of(task<T> body) {
    return runtime.block_on(outcome(std::move(body)));
  }
};

}  // namespace magpie::test
