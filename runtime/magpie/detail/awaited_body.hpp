#pragma once

#include <coroutine>
#include <magpie/detail/resumption.hpp>
#include <magpie/task.hpp>
#include <utility>

namespace magpie::detail {

/// The task that an awaiter runs as its body. Owns the task's frame.
template <class T>
class awaited_body {
 public:
  awaited_body() noexcept = default;
  awaited_body(awaited_body&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  ~awaited_body() {
    if (frame_) frame_.destroy();
  }

  void take(task<T>&& made) {
    if (!made) [[unlikely]]
      throw_invalid_state("a task to run that has not been awaited, spawned or moved from");
    frame_ = task_access::release(std::move(made));
  }
  [[nodiscard]] std::coroutine_handle<> followed_by(continuation then) noexcept {
    frame_.promise().set_continuation(then);
    return frame_;
  }

  /// Throws what the body threw, if anything. Only after the end.
  void rethrow_failure() { frame_.promise().rethrow_failure(); }
  [[nodiscard]] T take_result() { return frame_.promise().take_result(); }

 private:
  std::coroutine_handle<promise<T>> frame_;
};

}  // namespace magpie::detail
