#pragma once

#include <coroutine>
#include <magpie/detail/resumption.hpp>

namespace magpie {

namespace detail {

class yield_awaiter {
 public:
  yield_awaiter() noexcept = default;
  yield_awaiter(const yield_awaiter&) = delete;
  yield_awaiter& operator=(const yield_awaiter&) = delete;

  [[nodiscard]] bool await_ready() const {
    static_cast<void>(this_worker("yield() to be awaited in a task on a runtime"));
    return false;
  }
  void await_suspend(std::coroutine_handle<> suspended);
  void await_resume();

 private:
  resumption resumption_;
};

}  // namespace detail

/// Awaited, lets the other ready tasks of this worker go first: the task goes to the end of the
/// worker's ready lane. Work that other threads have submitted gets in too, if not at each yield.
/// Throws `cancelled` when the task has been asked to end, before or after that, and invalid_state
/// outside of a task. Allocates nothing but what the lane needs to grow.
/// In asyncio: `await asyncio.sleep(0)`.
[[nodiscard]] inline detail::yield_awaiter yield() noexcept { return {}; }

}  // namespace magpie
