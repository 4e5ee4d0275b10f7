#pragma once

#include <array>
#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/detail/job.hpp>
#include <magpie/detail/timer.hpp>
#include <vector>

#include "instrumented.hpp"

namespace magpie::detail {

/// In place of the scheduler: jobs that become ready, and armed timers under one lock. What it does
/// to a timer, and when it does not touch it any more, is what timekeeper.cpp does in arm(),
/// disarm() and fire_all().
class scheduler {
 public:
  void arm(timer& item, time_point) {
    arming_.push_back(&item);
    if (job* const ready = std::exchange(ready_when_arming, nullptr)) submit(*ready);
    {
      const std::lock_guard lock(mutex_);
      std::erase(arming_, &item);
      RL_ASSERT(std::find(armed_.begin(), armed_.end(), &item) == armed_.end());
      armed_.push_back(&item);
    }
    something_armed.set();
  }

  [[nodiscard]] bool disarm(timer& item) noexcept {
    // arm() writes the timer's shard before it has a lock, and disarm() reads it like that.
    RL_ASSERT(std::find(arming_.begin(), arming_.end(), &item) == arming_.end());
    const std::lock_guard lock(mutex_);
    return std::erase(armed_, &item) != 0;
  }

  void submit(job& item) noexcept {
    for (auto& each : ready_) {
      job* none = nullptr;
      if (each.compare_exchange_strong(none, &item, std::memory_order_release,
                                       std::memory_order_relaxed)) {
        something_ready.set();
        return;
      }
      RL_ASSERT(none != &item);
    }
    RL_ASSERT(false);
  }
  void wake(job& item) noexcept { submit(item); }
  void submit_all(job& first) noexcept {
    for (job* each = &first; each != nullptr;) submit(*std::exchange(each, each->next));
  }

  [[nodiscard]] time_point now() const noexcept { return magpie::now(); }

  // The threads of the model.

  /// Submitted by the next arm(), when it begins.
  job* ready_when_arming = nullptr;

  /// For a worker: null when nothing is ready.
  job* take() noexcept {
    for (auto& each : ready_) {
      if (job* const item = each.exchange(nullptr, std::memory_order_acquire)) return item;
    }
    return nullptr;
  }

  enum class firing { oldest, newest };

  /// For the timekeeper: false when nothing is armed.
  bool expire(firing which) {
    timer* due = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (armed_.empty()) return false;
      const auto place = which == firing::oldest ? armed_.begin() : armed_.end() - 1;
      due = *place;
      armed_.erase(place);
    }
    if (job* const item = due->fire(*due)) submit(*item);
    return true;
  }

  [[nodiscard]] bool is_idle() const noexcept { return armed_.empty(); }

  model::event something_ready{model::event::reset::by_waiter};
  model::event something_armed{model::event::reset::by_waiter};

 private:
  std::mutex mutex_;
  std::vector<timer*> arming_;
  std::vector<timer*> armed_;
  std::array<model::atomic<job*>, 2> ready_{nullptr, nullptr};
};

}  // namespace magpie::detail
