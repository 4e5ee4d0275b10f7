#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <magpie/detail/job.hpp>
#include <magpie/detail/worker.hpp>
#include <utility>

#include "support/eventually.hpp"

namespace magpie::test {

/// A job that does what it was given and counts how often it ran.
struct action : detail::job {
  explicit action(std::function<void(detail::worker&)> work = {})
      : job([](detail::job& self, detail::worker& here) noexcept {
          auto& mine = static_cast<action&>(self);
          if (mine.body) mine.body(here);
          mine.runs.fetch_add(1, std::memory_order_release);  // the last touch
        }),
        body(std::move(work)) {}

  [[nodiscard]] bool has_run() const { return runs.load(std::memory_order_acquire) != 0; }

  std::function<void(detail::worker&)> body;
  std::atomic<unsigned> runs{0};
};

[[nodiscard]] inline bool all_have_run(const std::deque<action>& jobs) {
  return eventually([&] {
    for (const action& each : jobs) {
      if (!each.has_run()) return false;
    }
    return true;
  });
}

[[nodiscard]] inline std::size_t not_run_once(const std::deque<action>& jobs) {
  std::size_t count = 0;
  for (const action& each : jobs) count += each.runs.load() != 1 ? 1 : 0;
  return count;
}

}  // namespace magpie::test
