#pragma once

#include <thread>
#include <utility>

#include "toolchain/minimal_task.hpp"

namespace canary {

inline constexpr int home_mark = 1;
inline constexpr int away_mark = 2;
inline thread_local int mark = 0;

// Runs a task to its first pause here and the rest on another thread.
inline void drive_across_threads(task<> work) {
  mark = home_mark;
  work.start();
  std::thread away([] {
    mark = away_mark;
    std::exchange(paused, nullptr).resume();
  });
  away.join();
  expect(work.done(), "it did not end");
  work.take();
}

}  // namespace canary
