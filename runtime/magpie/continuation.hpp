#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>

namespace magpie::detail {

class join;
class task_state_base;

/// The end of a spawned task's coroutine: its state takes what it left behind. `failure` lies in
/// the ended frame, which is gone afterwards, and is empty for a result.
void end_task(task_state_base& state, std::exception_ptr& failure) noexcept;

/// What follows when a coroutine ends: its awaiter goes on, a join looks for what is left to do,
/// or, for the coroutine of a spawned task, the task's state is told. One tagged word; frames,
/// joins and states are at least 8-byte aligned, which leaves three bits for the tag.
class continuation {
 public:
  enum class child : std::uintptr_t { last = 2, earlier = 4 };

  continuation() noexcept = default;
  explicit continuation(std::coroutine_handle<> awaiter) noexcept
      : word_(reinterpret_cast<std::uintptr_t>(awaiter.address())) {}
  explicit continuation(task_state_base& spawned) noexcept
      : word_(reinterpret_cast<std::uintptr_t>(&spawned) | is_spawned) {}
  continuation(join& target, child which) noexcept
      : word_(reinterpret_cast<std::uintptr_t>(&target) | static_cast<std::uintptr_t>(which)) {}

  /// The coroutine to go on with on this thread. `failure` is the exception of the task that has
  /// ended, or empty, and lies in its frame. Defined by "join.hpp".
  [[nodiscard]] std::coroutine_handle<> proceed(std::exception_ptr& failure) const noexcept;

  [[nodiscard]] bool is_awaiter() const noexcept { return (word_ & tag) == 0; }
  [[nodiscard]] std::coroutine_handle<> awaiter() const noexcept {
    return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(word_));
  }

  /// Null when no join follows.
  [[nodiscard]] join* target_join() const noexcept {
    return (word_ & child_tag) != 0 ? reinterpret_cast<join*>(word_ & ~tag) : nullptr;
  }

 private:
  static constexpr std::uintptr_t is_spawned = 1;
  static constexpr auto is_last = static_cast<std::uintptr_t>(child::last);
  static constexpr auto child_tag = is_last | static_cast<std::uintptr_t>(child::earlier);
  static constexpr std::uintptr_t tag = 7;

  std::uintptr_t word_ = 0;
};

}  // namespace magpie::detail
