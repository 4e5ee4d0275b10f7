#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/thread_annotations.hpp>

namespace magpie::detail {

/// A wait for tasks, to which it forwards a cancel request: their end is the answer.
///
/// A round that forwards a request has all waits that are still to do so on a stack. Such a wait
/// does not leave its scope before the round is over, so it and the tasks that it waits for stay.
class forwarding_wait : public leaf_wait {
 protected:
  struct operations : leaf_wait::operations {
    /// Returns the task with this number, of those waited for; null behind the last one.
    task_state_base* (*awaited)(forwarding_wait& self, std::size_t number) noexcept;
    /// Takes the wait out of its source. Returns false if it is not there any more. The lock of the
    /// wait's scope is held.
    bool (*withdraw)(forwarding_wait& self) noexcept;
  };

  explicit forwarding_wait(const operations& kind) noexcept : leaf_wait(kind) {}
  ~forwarding_wait() = default;

  /// The operations of a wait with members of these names; `notify` is its own.
  template <class Wait>
  static constexpr operations forwarding_operations_of{
      {&Wait::notify, &describe_as<Wait>},
      [](forwarding_wait& self, std::size_t number) noexcept -> task_state_base* {
        return static_cast<Wait&>(self).awaited(number);
      },
      [](forwarding_wait& self) noexcept { return static_cast<Wait&>(self).withdraw(); }};

  /// In place of leave_scope(). Blocks the thread while a round has the wait on its stack.
  std::uint64_t leave() noexcept MAGPIE_UNCHECKED_LOCKING;

  /// After leave(): the number of the last request that has been forwarded, to which the end of the
  /// task is the answer; 0 for none.
  [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }

 private:
  friend class cancel_round;

  [[nodiscard]] const operations& typed() const noexcept {
    return static_cast<const operations&>(kind());
  }

  bool is_on_stack_ = false;  // guarded by the lock of the scope
  // Used by the round that has this wait on its stack.
  std::uint32_t next_ : 29 = 0;           // the number of the next task to forward the request to
  std::uint32_t is_in_the_last_ : 1 = 0;  // the round is in what the last one waits for
  std::uint32_t has_forwarded_ : 1 = 0;   // some task has got the request
  std::uint32_t is_in_ring_ : 1 = 0;      // some task waits for the end of this wait
  forwarding_wait* below_ = nullptr;
  std::uint64_t answered_ = 0;  // written by a round while the wait is on its stack
};

}  // namespace magpie::detail
