#pragma once

#include <cstdint>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <string>

namespace magpie::detail {

class runtime_core;
class scheduler;

/// In place of the state of a spawned task: what concerns requests, as task_state.cpp has it in
/// accept_request() and finish().
class task_state_base : public job, public cancel_scope {
 public:
  explicit task_state_base(runtime_core& home) noexcept
      : job(nullptr), cancel_scope(scope_word::kind::task), home_(home) {}

  [[nodiscard]] bool accept_request(const std::shared_ptr<const std::string>&) noexcept
      MAGPIE_REQUIRES(this) {
    if (look().has_ended()) return false;
    change_to(look().with_one_request_more());
    set_due(next_request_number());
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

  // No round comes here by forwarding.
  [[nodiscard]] bool was_reached_by(std::uint64_t) const noexcept { return false; }
  [[nodiscard]] bool is_on_the_way_of(std::uint64_t) const noexcept { return false; }
  void note_reached_by(std::uint64_t) noexcept {}
  void note_passed() noexcept {}

  [[nodiscard]] std::shared_ptr<const std::string> cancel_reason() noexcept { return {}; }
  [[nodiscard]] runtime_core* home() const noexcept { return &home_; }

 private:
  runtime_core& home_;
};

[[nodiscard]] inline task_state_base& task_of(cancel_scope& scope) noexcept {
  return static_cast<task_state_base&>(scope.root());
}
[[nodiscard]] scheduler& scheduler_of(cancel_scope& scope) noexcept;

}  // namespace magpie::detail
