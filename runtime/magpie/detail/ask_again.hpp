#pragma once

#include <magpie/detail/delivery.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/worker.hpp>

namespace magpie::detail {

/// Awaited by a coroutine that will throw something else in place of `cancelled`: the last request
/// that its branch has been told of is delivered once more, where the branch waits next.
class ask_again {
 public:
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  [[nodiscard]] bool await_suspend(task_coroutine asking) const noexcept {
    undo_delivery(this_scope(worker::here()), asking);
    return false;
  }
  void await_resume() const noexcept {}
};

}  // namespace magpie::detail
