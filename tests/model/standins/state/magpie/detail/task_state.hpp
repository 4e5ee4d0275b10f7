#pragma once

#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <mutex>
#include <string>

namespace magpie::detail {

class runtime_core;

/// In place of the state of a spawned task: what concerns requests, as task_state.cpp has it in
/// pass_on(), ask_to_end(), enter_list(), leave_list() and finish().
class task_state_base : public job, public cancel_scope {
 public:
  explicit task_state_base(runtime_core& home) noexcept
      : job(nullptr), cancel_scope(kind::task), home_(home) {}

  bool pass_on() noexcept {
    cancel_round round(*this);
    {
      const std::lock_guard guard(*this);
      if (has(ended)) return false;
      store((word(std::memory_order_relaxed) | requested) + one_request);
      round.add(*this);
    }
    round.run();
    return true;
  }

  /// The body has returned. Whether there is a request of which it has not been told.
  bool finish() noexcept {
    const std::lock_guard guard(*this);
    RL_ASSERT(!has_members());
    set(ended);
    return has(requested);
  }

  [[nodiscard]] bool enter_list() noexcept {
    if (has(listed)) return false;
    set(listed);
    return true;
  }
  void leave_list() noexcept {
    const std::lock_guard guard(*this);
    clear(listed);
  }

  // Who asks it to end has a handle.
  void add_handle() noexcept {}
  void drop_handle() noexcept {}

  [[nodiscard]] std::shared_ptr<const std::string> cancel_reason() noexcept { return {}; }
  [[nodiscard]] runtime_core* home() const noexcept { return &home_; }

 private:
  runtime_core& home_;
};

}  // namespace magpie::detail
