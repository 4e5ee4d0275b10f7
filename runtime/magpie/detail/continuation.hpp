#pragma once

#include <coroutine>
#include <cstdint>

namespace magpie::detail {

class end_hook;
class join;
class task_state_base;

/// What follows when a coroutine ends. Its awaiter resumes, or a join looks for what is left to do,
/// or a hook runs first, or, after the first coroutine of a spawned task, the task's state ends the
/// task.
///
/// It is one tagged word. Frames, joins, hooks and states are at least 8-byte aligned, which
/// leaves three bits for the tag.
class continuation {
 public:
  enum class child : std::uintptr_t { last = 2, earlier = 2 | 4 };

  continuation() noexcept = default;
  explicit continuation(std::coroutine_handle<> awaiter) noexcept
      : word_(reinterpret_cast<std::uintptr_t>(awaiter.address())) {}
  explicit continuation(task_state_base& spawned) noexcept
      : word_(reinterpret_cast<std::uintptr_t>(&spawned) | is_spawned) {}
  explicit continuation(end_hook& before) noexcept
      : word_(reinterpret_cast<std::uintptr_t>(&before) | is_hook) {}
  continuation(join& target, child which) noexcept
      : word_(reinterpret_cast<std::uintptr_t>(&target) | static_cast<std::uintptr_t>(which)) {}

  [[nodiscard]] bool is_awaiter() const noexcept { return (word_ & tag) == 0; }
  [[nodiscard]] std::coroutine_handle<> awaiter() const noexcept {
    return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(word_));
  }

  /// For a child of a join. is_earlier_child(): not its last one.
  [[nodiscard]] bool ends_child() const noexcept { return (word_ & is_child) != 0; }
  [[nodiscard]] bool is_earlier_child() const noexcept { return (word_ & is_earlier) != 0; }
  /// Returns null if no join follows.
  [[nodiscard]] join* target_join() const noexcept {
    return ends_child() ? reinterpret_cast<join*>(word_ & ~tag) : nullptr;
  }

  /// For the first coroutine of a task.
  [[nodiscard]] bool ends_task() const noexcept { return (word_ & tag) == is_spawned; }
  [[nodiscard]] task_state_base& ended_task() const noexcept {
    return *reinterpret_cast<task_state_base*>(word_ & ~tag);
  }

  /// Where a hook runs first.
  [[nodiscard]] bool has_hook() const noexcept { return (word_ & tag) == is_hook; }
  [[nodiscard]] end_hook& hook() const noexcept {
    return *reinterpret_cast<end_hook*>(word_ & ~tag);
  }

 private:
  static constexpr std::uintptr_t is_spawned = 1;
  static constexpr std::uintptr_t is_child = 2;
  static constexpr std::uintptr_t is_earlier = 4;  // of a child
  static constexpr std::uintptr_t is_hook = 4;     // of no child
  static constexpr std::uintptr_t tag = 7;

  std::uintptr_t word_ = 0;
};

}  // namespace magpie::detail
