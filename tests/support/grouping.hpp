#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <functional>
#include <magpie/errors.hpp>
#include <magpie/exception_group.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>
#include <magpie/task_group.hpp>
#include <magpie/yield.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/tally.hpp"

namespace magpie::test {

/// Sleeps until it is told to end, cleans up, counts itself, and ends as cancelled, or by `error`.
inline task<> clean_up(tally& ended, std::string error, counted) {
  std::exception_ptr stopped;
  ++ended.begun;
  try {
    co_await sleep_for(std::chrono::hours(1000));
  } catch (const cancelled&) {
    stopped = std::current_exception();
  }
  for (int i = 0; i < 10; ++i) co_await yield();
  co_await sleep_for(std::chrono::microseconds(100));
  ++ended.ended;
  if (!error.empty()) throw std::runtime_error(error);
  std::rethrow_exception(std::move(stopped));
}

/// A fixture that runs task groups and says what came of them.
class grouping : public leaving_nothing {
 protected:
  /// What comes of a group: "left", what() of a group of errors, or "cancelled" with the reason.
  /// After that the task may wait, unless `told` says what it is told then.
  template <class Body>
  static task<std::string> outcome(Body& body, std::string* told = nullptr) {
    std::string result = "left";
    try {
      co_await with_task_group(std::ref(body));
    } catch (const exception_group& errors) {
      result = errors.what();
    } catch (const cancelled& stopped) {
      result = "cancelled: " + stopped.reason();
    }
    try {
      co_await yield();
      co_await sleep_for(std::chrono::microseconds(1));
    } catch (const cancelled& stopped) {
      if (told == nullptr) {
        ADD_FAILURE() << "told once more";
      } else {
        *told = stopped.reason();
      }
    }
    if (told == nullptr && result.rfind("cancelled", 0) != 0) {
      EXPECT_EQ(current_task().cancelling(), 0U);
    }
    co_return result;
  }

  template <class Body>
  std::string outcome_of(Body& body) {
    return runtime.block_on(outcome(body));
  }
};

}  // namespace magpie::test
