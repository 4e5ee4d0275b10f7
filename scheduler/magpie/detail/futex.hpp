#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace magpie::detail {

/// Sleeps while `word` holds `expected`, until woken, until `deadline` (none: for ever), or for no
/// reason at all: callers loop. Never allocates.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::optional<std::chrono::steady_clock::time_point> deadline = {}) noexcept;

/// Wakes one thread that sleeps on `word`.
void futex_wake_one(const std::atomic<std::uint32_t>& word) noexcept;

/// One sleeping place for one thread. unpark() before park() is remembered once.
class parker {
 public:
  void park() noexcept {
    while (permit_.exchange(0, std::memory_order_acquire) == 0) futex_wait(permit_, 0);
  }

  /// False when `deadline` has passed first.
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
  // 0: nobody woke the owner. 1: woken; set by unpark (release), taken by park (acquire).
  std::atomic<std::uint32_t> permit_{0};
};

}  // namespace magpie::detail
