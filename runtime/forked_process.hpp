#pragma once

#include <atomic>

namespace magpie::detail {

/// Recognises a child process of fork(). Such a child has a copy of the parent's memory and none of
/// the parent's threads. What those threads were to do never happens, and a lock that one of them
/// held stays locked. So the child of a process that had runtimes at the fork uses none of them and
/// makes no others; it may call exec().
class forked_process {
 public:
  /// Returns whether this process is such a child.
  [[nodiscard]] static bool is_this() noexcept { return is_child_.load(std::memory_order_relaxed); }

  /// Throws invalid_state in such a child.
  static void check() {
    if (is_this()) [[unlikely]]
      refuse();
  }

  /// Counts the runtimes of the process. add_runtime() throws invalid_state in such a child, and
  /// std::bad_alloc.
  static void add_runtime();
  static void remove_runtime() noexcept;

 private:
  [[noreturn]] static void refuse();
  static void note_fork() noexcept;

  // false -> true by note_fork(), in the child of a fork, which has one thread then.
  inline static std::atomic<bool> is_child_{false};
  // How many runtimes there are: raised by add_runtime(), lowered by remove_runtime(), read at a
  // fork.
  inline static std::atomic<unsigned> runtimes_{0};
};

}  // namespace magpie::detail
