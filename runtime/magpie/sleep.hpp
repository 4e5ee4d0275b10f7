#pragma once

#include <coroutine>
#include <magpie/clock.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/timer.hpp>

namespace magpie {

namespace detail {

class sleep_awaiter : private leaf_wait, private timer {
 public:
  explicit sleep_awaiter(time_point deadline) noexcept
      : leaf_wait(operations_of<sleep_awaiter>), timer(&wake), deadline_(deadline) {}
  sleep_awaiter(sleep_awaiter&& other) noexcept : sleep_awaiter(other.deadline_) {}

  [[nodiscard]] bool await_ready() {
    static_cast<void>(this_worker("a sleep to be awaited in a task on a runtime"));
    single_await::check(coroutine != nullptr);
    return false;
  }
  [[nodiscard]] bool await_suspend(task_coroutine suspended);
  void await_resume() { resume(); }

 protected:
  void set_deadline(time_point deadline) noexcept { deadline_ = deadline; }

 private:
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept;
  void describe(wait_descriptions& into) const noexcept {
    into.add({.what = "sleep", .until = deadline_});
  }
  [[nodiscard]] static job* wake(timer& self) noexcept;

  time_point deadline_;
};

/// A sleep whose time begins when it is awaited.
class delay_awaiter : public sleep_awaiter {
 public:
  explicit delay_awaiter(duration delay) noexcept : sleep_awaiter(time_point{}), delay_(delay) {}

  [[nodiscard]] bool await_suspend(task_coroutine suspended) {
    set_deadline(deadline_after(delay_, magpie::now()));
    return sleep_awaiter::await_suspend(suspended);
  }

 private:
  const duration delay_;
};

}  // namespace detail

/// Awaited, suspends the task until `deadline` has passed: never shorter, and, if a processor is
/// free, longer by at most a tick of 66 us and the wake-up. A deadline that has passed already
/// yields once. Throws invalid_state outside of a task.
///
/// A cancel request wakes the task at once and frees the timer. Throws `cancelled` then. The wait
/// allocates nothing. In asyncio: `await asyncio.sleep(...)`.
[[nodiscard]] inline detail::sleep_awaiter sleep_until(time_point deadline) noexcept {
  return detail::sleep_awaiter(deadline);
}

/// sleep_until() the moment `delay` after the await. A delay of zero or less yields once.
template <class Rep, class Period>
[[nodiscard]] detail::delay_awaiter sleep_for(std::chrono::duration<Rep, Period> delay) noexcept {
  return detail::delay_awaiter(detail::saturated(delay));
}

}  // namespace magpie
