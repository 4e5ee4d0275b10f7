#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <magpie/result_slot.hpp>
#include <magpie/resumption.hpp>
#include <type_traits>
#include <utility>

namespace magpie {

namespace detail {

/// A call on its way through the blocking pool, without its types. Lives in the awaiter.
class blocking_call_base {
 public:
  blocking_call_base(const blocking_call_base&) = delete;
  blocking_call_base& operator=(const blocking_call_base&) = delete;

  /// On a thread of the pool: makes the call and resumes the task. This object may be gone then.
  void make() noexcept;

  blocking_call_base* next = nullptr;  // guarded by the pool

 protected:
  using call_function = void (*)(blocking_call_base&);

  explicit blocking_call_base(call_function call) noexcept : call_(call) {}
  ~blocking_call_base() = default;

  void submit(std::coroutine_handle<> suspended);
  void rethrow_failure();

 private:
  const call_function call_;
  scheduler* home_ = nullptr;
  resumption resumption_;
  std::exception_ptr failure_;
};

template <class Function>
class blocking_awaiter final : private blocking_call_base {
 public:
  using invoked_type = std::invoke_result_t<Function&>;
  using result_type = std::conditional_t<std::is_lvalue_reference_v<invoked_type>, invoked_type,
                                         std::remove_cvref_t<invoked_type>>;

  explicit blocking_awaiter(Function function)
      : blocking_call_base(&call), function_(std::move(function)) {}

  [[nodiscard]] bool await_ready() const {
    static_cast<void>(this_worker("run_blocking() to be awaited in a task on a runtime"));
    return false;
  }

  void await_suspend(std::coroutine_handle<> suspended) { submit(suspended); }

  result_type await_resume() {
    rethrow_failure();
    if constexpr (std::is_reference_v<result_type>) {
      return *result_.get();
    } else if constexpr (!std::is_void_v<result_type>) {
      return std::move(result_.get());
    }
  }

 private:
  static void call(blocking_call_base& self) {
    auto& typed = static_cast<blocking_awaiter&>(self);
    if constexpr (std::is_void_v<result_type>) {
      std::invoke(typed.function_);
    } else if constexpr (std::is_reference_v<result_type>) {
      typed.result_.fill(std::addressof(std::invoke(typed.function_)));
    } else {
      typed.result_.fill(std::invoke(typed.function_));
    }
  }

  Function function_;
  result_slot<typename stored_result<result_type>::type> result_;
};

}  // namespace detail

/// Awaited, calls `function()` on a thread of the runtime's blocking pool while the task is
/// suspended and its worker does other work; gives what the function returns, or throws what it
/// throws. For system calls and libraries that block; at most
/// runtime_options::max_blocking_threads calls run at once, further ones wait in order.
///
/// Throws invalid_state outside of a task, std::system_error when no thread can be started.
/// In asyncio: `await asyncio.to_thread(...)`.
template <class Function>
  requires std::is_invocable_v<std::decay_t<Function>&>
[[nodiscard]] auto run_blocking(Function&& function) {
  return detail::blocking_awaiter<std::decay_t<Function>>(std::forward<Function>(function));
}

}  // namespace magpie
