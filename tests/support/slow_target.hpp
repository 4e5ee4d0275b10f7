#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <magpie/errors.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>
#include <magpie/yield.hpp>
#include <utility>

#include "support/counted.hpp"

namespace magpie::test {

/// Takes some time to end when it is cancelled, and says when it begins and ends.
struct slow_target {
  task<int> run() {
    const counted local;
    ++begun;
    std::exception_ptr stopped;
    try {
      co_await sleep_for(std::chrono::hours(1000));
    } catch (const cancelled&) {
      stopped = std::current_exception();
    }
    for (int i = 0; i < 20; ++i) co_await yield();
    ended = true;
    std::rethrow_exception(std::move(stopped));
  }

  std::atomic<int> begun{0};
  std::atomic<bool> ended{false};
};

}  // namespace magpie::test
