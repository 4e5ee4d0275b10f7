#pragma once

#include <atomic>

namespace magpie::detail {

/// A child of fork() has a copy of the parent's memory and none of its threads: what they were to
/// do never happens, and a lock that one of them held is held for ever. So a child of a process
/// that had runtimes when it forked uses none of them and makes no others; it may call exec().
class forked_process {
 public:
  /// Whether this process is such a child.
  [[nodiscard]] static bool is_this() noexcept { return is_child_.load(std::memory_order_relaxed); }

  /// Throws invalid_state if it is.
  static void check() {
    if (is_this()) [[unlikely]]
      refuse();
  }

  /// A runtime comes, or goes.
  static void add_runtime();
  static void remove_runtime() noexcept;

 private:
  [[noreturn]] static void refuse();
  static void note_fork() noexcept;

  // false -> true at a fork, in the child, which has one thread then.
  inline static std::atomic<bool> is_child_{false};
  inline static std::atomic<unsigned> runtimes_{0};
};

}  // namespace magpie::detail
