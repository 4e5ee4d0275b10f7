#pragma once

#include <atomic>
#include <magpie/clock.hpp>
#include <magpie/detail/job.hpp>
#include <magpie/detail/timer.hpp>

#include "support/eventually.hpp"

namespace magpie::test {

/// A timer with its job, which notes when it came, and how often.
struct alarm : detail::job {
  alarm() noexcept
      : job([](detail::job& self, detail::worker&) noexcept { static_cast<alarm&>(self).ring(); }) {
  }

  /// What the job does when a worker runs it.
  void ring() noexcept {
    came_at = clock::now();
    times.fetch_add(1, std::memory_order_release);  // the last touch
  }

  [[nodiscard]] unsigned times_come() const { return times.load(std::memory_order_acquire); }
  [[nodiscard]] bool comes() const {
    return eventually([this] { return times_come() != 0; });
  }

  struct ringer : detail::timer {
    explicit ringer(alarm& rung) noexcept
        : timer([](detail::timer& self) noexcept -> detail::job* {
            return &static_cast<ringer&>(self).owner;
          }),
          owner(rung) {}

    alarm& owner;
  };

  ringer item{*this};
  time_point deadline{};
  // Written by ring(), before `times` (release).
  time_point came_at{};
  std::atomic<unsigned> times{0};
};

}  // namespace magpie::test
