#pragma once

#include <atomic>
#include <coroutine>
#include <exception>
#include <functional>
#include <magpie/detail/frame_pool.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/pool_job.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/task_state.hpp>
#include <memory>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace magpie {

namespace detail {

class blocking_wait;

/// A call on its way through the blocking pool, without its types. The awaiter owns it. When the
/// awaiter has released it, the pool owns it.
class blocking_call_base : public pool_job {
 protected:
  using operation = void (*)(blocking_call_base&);

  blocking_call_base(operation call, operation dispose) noexcept
      : pool_job(&make), call_(call), dispose_(dispose) {}
  ~blocking_call_base() = default;

  // The source of the function's stop token, if the function takes one.
  std::stop_source stop_{std::nostopstate};

 private:
  friend blocking_wait;

  enum class stage : unsigned char { submitted, awaited, withdrawn, ended, released };

  /// On a thread of the pool. Makes the call, unless the task no longer wants it, and wakes the
  /// task if that waits.
  static void make(pool_job& self) noexcept;

  const operation call_;
  const operation dispose_;
  blocking_wait* wait_ = nullptr;  // valid while the call is awaited
  shared_locals locals_;
  std::exception_ptr failure_;

  //     submitted -> awaited    by the task, when the call is in the pool: it suspends
  //               -> released   by the task, if a cancel request was delivered to it instead
  //     awaited   -> withdrawn  by a cancel request, which wakes the task
  //     withdrawn -> released   by the task that was woken: it is done with the call
  //     submitted, awaited, withdrawn, released -> ended  by the pool's thread, once
  // The thread that moves it from awaited wakes the task. One thread moves it to released and one
  // to ended; the later of the two disposes of the call. All moves acquire and release, so the
  // later one sees the result, or the request to stop.
  std::atomic<stage> stage_{stage::submitted};
};

/// The awaiter of a call, without its types.
class blocking_wait : private leaf_wait {
 public:
  [[nodiscard]] bool await_ready() {
    static_cast<void>(this_worker("run_blocking() to be awaited in a task on a runtime"));
    once_.begin();
    return false;
  }

  [[nodiscard]] bool await_suspend(task_coroutine suspended);

 protected:
  explicit blocking_wait(blocking_call_base& call) noexcept
      : leaf_wait(operations_of<blocking_wait>), call_(&call) {}
  blocking_wait(blocking_wait&& other) noexcept
      : leaf_wait(std::move(other)),
        call_(std::exchange(other.call_, nullptr)),
        once_(std::move(other.once_)) {}
  ~blocking_wait() {
    if (call_ != nullptr) call_->dispose_(*call_);
  }

  /// For await_resume: throws what the function threw, or `cancelled`.
  void resume_after_call();

  [[nodiscard]] blocking_call_base& call() noexcept { return *call_; }

 private:
  friend blocking_call_base;
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept;
  static void describe(wait_descriptions& into) noexcept { into.add({.what = "blocking call"}); }
  void abandon() noexcept;

  blocking_call_base* call_;  // null once it has been released
  single_await once_;
  bool is_submitted_ = false;
};

template <class Function>
inline constexpr bool takes_stop_token = std::is_invocable_v<Function&, std::stop_token>;

template <class Function>
class blocking_call final : public blocking_call_base {
 public:
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }

  template <class Given>
  explicit blocking_call(Given&& given)
      : blocking_call_base(&call, &dispose), function_(std::forward<Given>(given)) {
    static_assert(alignof(blocking_call) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                  "a function to run, and its result, are aligned like memory of operator new");
    if constexpr (takes_stop_token<Function>) stop_ = std::stop_source();
  }

  using invoked_type = typename std::conditional_t<takes_stop_token<Function>,
                                                   std::invoke_result<Function&, std::stop_token>,
                                                   std::invoke_result<Function&>>::type;
  using result_type = std::conditional_t<std::is_lvalue_reference_v<invoked_type>, invoked_type,
                                         std::remove_cvref_t<invoked_type>>;

  /// Moves the value out. Only after a success.
  result_type take_result() {
    if constexpr (std::is_reference_v<result_type>) {
      return *result_.get();
    } else if constexpr (!std::is_void_v<result_type>) {
      return std::move(result_.get());
    }
  }

 private:
  decltype(auto) invoke() {
    if constexpr (takes_stop_token<Function>) {
      return std::invoke(function_, stop_.get_token());
    } else {
      return std::invoke(function_);
    }
  }

  static void call(blocking_call_base& self) {
    auto& typed = static_cast<blocking_call&>(self);
    if constexpr (std::is_void_v<result_type>) {
      typed.invoke();
    } else if constexpr (std::is_reference_v<result_type>) {
      typed.result_.fill(std::addressof(typed.invoke()));
    } else {
      typed.result_.fill(typed.invoke());
    }
  }

  static void dispose(blocking_call_base& self) { delete static_cast<blocking_call*>(&self); }

  Function function_;
  result_slot<typename stored_result<result_type>::type> result_;
};

template <class Function>
class blocking_awaiter final : public blocking_wait {
 public:
  template <class Given>
  explicit blocking_awaiter(std::in_place_t, Given&& given)
      : blocking_wait(*new blocking_call<Function>(std::forward<Given>(given))) {}

  typename blocking_call<Function>::result_type await_resume() {
    resume_after_call();
    return static_cast<blocking_call<Function>&>(call()).take_result();
  }
};

template <class Function>
concept blocking_function =
    std::is_invocable_v<Function&> || std::is_invocable_v<Function&, std::stop_token>;

}  // namespace detail

/// Awaited, calls `function()` on a thread of the runtime's blocking pool. The task is suspended
/// during the call, and its worker does other work. co_await returns what the function returns, or
/// throws what it throws. For system calls and libraries that block. The function sees the task's
/// task_locals as they are at the call, and the tasks that it spawns inherit them. Throws
/// invalid_state outside of a task, std::system_error if no thread can be started, and
/// std::bad_alloc: from run_blocking() itself, or from co_await if a new thread needs it.
///
/// If the task is cancelled, or a timeout around it expires, `cancelled` is thrown at once. A call
/// that has not begun is then never made. A call that has begun runs on; what it returns or throws
/// is dropped, and the end of the runtime waits for it. So what the function refers to must stay
/// alive, and is better a part of the function. A function that takes a std::stop_token is called
/// with one, which is then stopped; callbacks registered with the token run in the cancelled task,
/// before `cancelled` is thrown.
///
/// At most runtime_options::max_blocking_threads calls run at once; further calls wait in order. In
/// asyncio: `await asyncio.to_thread(...)`.
template <class Function>
  requires detail::blocking_function<std::decay_t<Function>>
[[nodiscard]] auto run_blocking(Function&& function) {
  return detail::blocking_awaiter<std::decay_t<Function>>(std::in_place,
                                                          std::forward<Function>(function));
}

}  // namespace magpie
