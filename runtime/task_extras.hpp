#pragma once

#include <memory>
#include <string>

#include "runtime/done_callbacks.hpp"

namespace magpie::detail {

/// What only few tasks need.
struct task_extras {
  explicit task_extras(task_state_base& owner) noexcept : callbacks(owner) {}

  // Guarded by the task's lock.
  std::shared_ptr<const std::string> reason;  // of the last request to cancel
  shared_locals locals;                       // null for none

  done_callbacks callbacks;
};

}  // namespace magpie::detail
