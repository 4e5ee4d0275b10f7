#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace magpie::detail {

/// Sleeps while `word` holds `expected`, until a wake or `deadline` (none: no time limit). It may
/// also return for no reason, so callers loop. Never allocates.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::optional<std::chrono::steady_clock::time_point> deadline = {}) noexcept;

/// Wakes one thread that sleeps on `word`.
void futex_wake_one(const std::atomic<std::uint32_t>& word) noexcept;

/// A place for one thread to sleep. If unpark() comes before park(), that park() returns at once;
/// several unpark() before it count as one.
class parker {
 public:
  void park() noexcept {
    while (permit_.exchange(0, std::memory_order_acquire) == 0) futex_wait(permit_, 0);
  }

  /// Returns false if `deadline` has passed before an unpark().
  [[nodiscard]] bool park_until(std::chrono::steady_clock::time_point deadline) noexcept {
    while (permit_.exchange(0, std::memory_order_acquire) == 0) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      futex_wait(permit_, 0, deadline);
    }
    return true;
  }

  void unpark() noexcept {
    if (permit_.exchange(1, std::memory_order_release) == 0) futex_wake_one(permit_);
  }

 private:
  // 0: no wake is left. 1: woken. 0 -> 1 by unpark() (release); 1 -> 0 by park() and park_until()
  // (acquire).
  std::atomic<std::uint32_t> permit_{0};
};

}  // namespace magpie::detail
