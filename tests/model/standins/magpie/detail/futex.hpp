#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "instrumented.hpp"

namespace magpie::detail {

/// In place of the kernel's futex. Time never passes: who is not woken sleeps for ever, and is
/// found in a deadlock. To wake touches the address alone, whatever lies there by now.
class futex_sleepers {
 public:
  static void sleep(const std::atomic<std::uint32_t>& word, std::uint32_t expected) {
    sleeper self{&word};
    // The look and the entry are one step, as the kernel's are, and the look sees the last value:
    // so does an exchange of any value for itself.
    auto& latest = const_cast<std::atomic<std::uint32_t>&>(word);
    if (latest.fetch_add(0, std::memory_order_relaxed) != expected) return;
    all_.push_back(&self);
    self.woken.wait();
  }

  static void wake_one(const std::atomic<std::uint32_t>& word) {
    const auto found = std::find_if(all_.begin(), all_.end(),
                                    [&word](sleeper* each) { return each->on == &word; });
    if (found == all_.end()) return;
    sleeper& chosen = **found;
    all_.erase(found);
    chosen.woken.set();
  }

  /// Before an execution.
  static void clear() { all_.clear(); }

 private:
  struct sleeper {
    const void* on;
    model::event woken{model::event::reset::by_waiter};
  };

  static inline std::vector<sleeper*> all_;
};

inline void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                       std::optional<std::chrono::steady_clock::time_point> = {}) noexcept {
  futex_sleepers::sleep(word, expected);
}

inline void futex_wake_one(const std::atomic<std::uint32_t>& word) noexcept {
  model::let_time_pass();  // others may come between the caller's last step and this one
  futex_sleepers::wake_one(word);
}

/// In place of the parker over it. A deadline is always over.
class parker {
 public:
  void park() { permit_.wait(); }
  [[nodiscard]] bool park_until(std::chrono::steady_clock::time_point) noexcept {
    if (is_unparked_.exchange(0, std::memory_order_acquire) == 0) return false;
    park();
    return true;
  }
  void unpark() {
    is_unparked_.store(1, std::memory_order_release);
    permit_.set();
  }

 private:
  model::event permit_{model::event::reset::by_waiter};
  model::atomic<int> is_unparked_{0};
};

}  // namespace magpie::detail
