#pragma once

#include <atomic>
#include <cstdint>
#include <magpie/detail/task_name.hpp>
#include <memory>
#include <string>

#include "runtime/done_callbacks.hpp"

namespace magpie::detail {

/// What only few tasks need.
struct task_extras {
  task_extras(task_state_base& owner, std::uint64_t number) noexcept
      : name{.number = number}, callbacks(owner) {}

  // Guarded by the task's lock.
  task_name name;
  std::shared_ptr<const std::string> reason;  // of the last request to cancel
  shared_locals locals;                       // null for none

  // Set with the first locals, under the lock. Read without it.
  std::atomic<bool> has_locals{false};

  done_callbacks callbacks;
};

}  // namespace magpie::detail
