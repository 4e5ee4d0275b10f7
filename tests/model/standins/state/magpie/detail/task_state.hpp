#pragma once

#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <string>

namespace magpie::detail {

class runtime_core;

/// In place of the state of a spawned task: what concerns requests, as task_state.cpp has it in
/// pass_on(), ask_to_end(), enter_list(), leave_list() and finish().
class task_state_base : public job, public cancel_scope {
 public:
  explicit task_state_base(runtime_core& home) noexcept
      : job(nullptr), cancel_scope(scope_word::kind::task), home_(home) {}

  bool pass_on() noexcept {
    cancel_round round(*this);
    {
      const lock_guard guard(*this);
      if (look().has_ended()) return false;
      change_to(look().with_one_request_more());
      set_due(next_request_number());
      round.add(*this);
    }
    round.run();
    return true;
  }

  /// The body has returned, and had been told of request number `told`. Whether there is a later
  /// one.
  bool finish(std::uint64_t told) noexcept {
    const lock_guard guard(*this);
    RL_ASSERT(!has_members());
    change_to(scope_word(look().bits() | static_cast<std::uint64_t>(scope_word::outcome::result)));
    return due() > told;
  }

  [[nodiscard]] bool enter_list() noexcept MAGPIE_REQUIRES(this) {
    if (look().is_listed()) return false;
    change_to(look().with_listed());
    return true;
  }
  void leave_list() noexcept {
    const lock_guard guard(*this);
    change_to(look().without_listed());
  }

  // Whoever cancels it has a handle.
  void add_visit() noexcept {}
  void end_visit() noexcept {}

  [[nodiscard]] std::shared_ptr<const std::string> cancel_reason() noexcept { return {}; }
  [[nodiscard]] runtime_core* home() const noexcept { return &home_; }

 private:
  runtime_core& home_;
};

}  // namespace magpie::detail
