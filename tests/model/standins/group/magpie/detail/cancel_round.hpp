#pragma once

#include <magpie/detail/task_state.hpp>

namespace magpie::detail {

inline bool cancel_task(task_state_base& task, std::nullptr_t) noexcept {
  task.cancel();
  return true;
}

}  // namespace magpie::detail
