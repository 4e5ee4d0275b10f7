#pragma once

#include <coroutine>
#include <type_traits>

namespace magpie::detail {

class promise_base;

/// A suspended coroutine of a task: what await_suspend() takes. Cancelling looks for the scope of a
/// coroutine from promise to promise, so the coroutine of another type does not compile.
class task_coroutine {
 public:
  template <class Promise>
  task_coroutine(std::coroutine_handle<Promise> suspended) noexcept : frame_(suspended) {
    static_assert(std::is_base_of_v<promise_base, Promise>,
                  "only a coroutine that returns magpie::task can await this: await it in one, and "
                  "spawn that");
  }

  operator std::coroutine_handle<>() const noexcept { return frame_; }

 private:
  std::coroutine_handle<> frame_;
};

}  // namespace magpie::detail
