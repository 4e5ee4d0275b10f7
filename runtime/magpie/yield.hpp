#pragma once

#include <coroutine>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/task_coroutine.hpp>

namespace magpie {

namespace detail {

/// Puts the awaiting coroutine at the end of its worker's ready lane.
class requeue_awaiter {
 public:
  requeue_awaiter() noexcept = default;
  requeue_awaiter(requeue_awaiter&&) noexcept {}

  void await_suspend(task_coroutine suspended);
  /// Only after a suspension. Throws `cancelled` if a cancel request is pending.
  void await_resume();

 protected:
  [[nodiscard]] bool has_suspended() const noexcept { return resumption_.coroutine != nullptr; }

 private:
  resumption resumption_;
};

class yield_awaiter : public requeue_awaiter {
 public:
  [[nodiscard]] bool await_ready() {
    static_cast<void>(this_worker("yield() to be awaited in a task on a runtime"));
    single_await::check(has_suspended());
    return false;
  }
};

}  // namespace detail

/// Awaited, lets the other ready tasks of this worker go first: the task goes to the end of the
/// worker's ready lane. Work that other threads have submitted gets in too, if not at each yield.
/// Throws invalid_state outside of a task.
///
/// Throws `cancelled` if a cancel request is pending, whether it came before the yield or during
/// it. Allocates nothing but what the lane needs to grow. In asyncio: `await asyncio.sleep(0)`.
[[nodiscard]] inline detail::yield_awaiter yield() noexcept { return {}; }

}  // namespace magpie
