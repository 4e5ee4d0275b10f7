#pragma once

#include <magpie/detail/delivery.hpp>
#include <magpie/yield.hpp>

namespace magpie {

namespace detail {

class checkpoint_awaiter : public requeue_awaiter {
 public:
  [[nodiscard]] bool await_ready() {
    worker& here = this_worker("checkpoint() to be awaited in a task on a runtime");
    once_.begin();
    others_wait_ = here.has_others_waiting();
    return this_scope(here).due() == 0 && !others_wait_;
  }
  [[nodiscard]] bool await_suspend(task_coroutine suspended) {
    deliver_or_pass(this_scope(worker::here()), suspended);
    if (!others_wait_) return false;
    requeue_awaiter::await_suspend(suspended);  // from here on the awaiter may be gone
    return true;
  }
  void await_resume() {
    if (has_suspended()) requeue_awaiter::await_resume();
  }

 private:
  single_await once_;
  bool others_wait_ = false;
};

}  // namespace detail

/// For a task that computes for long, to be awaited from time to time. Throws `cancelled` if the
/// task has been cancelled or a timeout around it has expired. Lets other tasks go first if they
/// have waited on this worker for a millisecond or more. Otherwise goes on at once, at a cost of a
/// few nanoseconds. Throws invalid_state outside of a task.
[[nodiscard]] inline detail::checkpoint_awaiter checkpoint() noexcept { return {}; }

}  // namespace magpie
