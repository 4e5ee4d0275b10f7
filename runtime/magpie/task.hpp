#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <magpie/detail/failure_word.hpp>
#include <magpie/detail/frame_pool.hpp>
#include <magpie/detail/misuse.hpp>
#include <magpie/detail/proceed.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <memory>
#include <type_traits>
#include <utility>

// Passes a task in a register, as the one pointer that it is, and lets the callee destroy it. So
// the caller's frame keeps nothing of a by-value argument. The attribute changes no library
// function: everything that takes or returns a task is a template.
#if defined(__clang__)
#define MAGPIE_TRIVIAL_ABI [[clang::trivial_abi]]
#else
#define MAGPIE_TRIVIAL_ABI
#endif

namespace magpie {

template <class T>
class task;

namespace detail {

/// The part of every task's frame that does not depend on its result.
class promise_base {
 public:
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  /// Returns the promise of a task's coroutine. Every coroutine that awaits in a task is one,
  /// because task_coroutine takes no other.
  [[nodiscard]] static promise_base& of(std::coroutine_handle<> frame) noexcept {
    return std::coroutine_handle<promise_base>::from_address(frame.address()).promise();
  }

  promise_base() noexcept = default;
  promise_base(const promise_base&) = delete;
  promise_base& operator=(const promise_base&) = delete;

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }

  struct final_awaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }

    /// Transfers control to what follows by a tail call, so a chain of awaits uses no stack. The
    /// frame may be gone when proceed() returns.
    template <class Promise>
    [[nodiscard]] std::coroutine_handle<> await_suspend(
        std::coroutine_handle<Promise> ended) const noexcept {
      promise_base& promise = ended.promise();
      return proceed(promise.then_, promise.failure_);
    }

    void await_resume() const noexcept {}
  };

  [[nodiscard]] final_awaiter final_suspend() const noexcept { return {}; }

  void unhandled_exception() noexcept {
    if (!failure_.is_empty()) [[unlikely]]
      hand_on_told();
    failure_.set_failure(std::current_exception());
  }

  /// Called once, before the task starts.
  void set_continuation(continuation then) noexcept { then_ = then; }
  [[nodiscard]] continuation& then() noexcept { return then_; }

  /// Throws the failure, if there is one. Only after the end, for the one that awaits the
  /// coroutine. Moves the exception out of the frame, because it has only one consumer.
  void rethrow_failure() {
    if (!failure_.is_empty()) [[unlikely]]
      rethrow_failure_slowly();
  }
  /// Returns true if the coroutine ended by an exception. Only after the end.
  [[nodiscard]] bool has_failure() const noexcept { return failure_.has_failure(); }
  /// Returns the failure without throwing it; null after a success.
  [[nodiscard]] std::exception_ptr take_failure() noexcept { return failure_.take_failure(); }

  /// Until the coroutine has ended: what its branch has been told. See branch.hpp.
  [[nodiscard]] failure_word& told_word() noexcept { return failure_; }

 protected:
  ~promise_base() = default;

 private:
  /// Tells what awaits this coroutine which requests have been delivered to it.
  [[gnu::cold]] void hand_on_told() noexcept;
  [[gnu::cold]] void rethrow_failure_slowly();

  continuation then_;
  failure_word failure_;
};

template <class T>
class promise final : public promise_base {
 public:
  static_assert(!std::is_rvalue_reference_v<T>,
                "a task returns a value, an lvalue reference or void");
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                "the frame that holds a task's result is aligned like memory of operator new");

  [[nodiscard]] task<T> get_return_object() noexcept;

  template <class U = T>
    requires std::is_constructible_v<T, U>
  void return_value(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>) {
    result_.fill(std::forward<U>(value));
  }

  /// Moves the value out. Only after a success.
  [[nodiscard]] T take_result() { return std::move(result_.get()); }

 private:
  result_slot<T> result_;
};

template <class T>
class promise<T&> final : public promise_base {
 public:
  [[nodiscard]] task<T&> get_return_object() noexcept;

  void return_value(T& value) noexcept { result_ = std::addressof(value); }

  [[nodiscard]] T& take_result() noexcept { return *result_; }

 private:
  T* result_ = nullptr;
};

template <>
class promise<void> final : public promise_base {
 public:
  [[nodiscard]] inline task<void> get_return_object() noexcept;

  void return_void() const noexcept {}

  void take_result() const noexcept {}
};

/// Runs a task at once on this thread, as part of the awaiting task. Owns the child's frame.
template <class T>
class task_awaiter {
 public:
  explicit task_awaiter(std::coroutine_handle<promise<T>> child) noexcept : child_(child) {}
  task_awaiter(const task_awaiter&) = delete;
  task_awaiter& operator=(const task_awaiter&) = delete;
  ~task_awaiter() {
    if (child_) child_.destroy();
  }

  [[nodiscard]] bool await_ready() const {
    if (!child_) [[unlikely]] {
      throw_invalid_state("a task that has not been awaited, spawned or moved from");
    }
    return false;
  }

  [[nodiscard]] std::coroutine_handle<> await_suspend(task_coroutine awaiter) noexcept {
    child_.promise().set_continuation(continuation(awaiter));
    return child_;
  }

  T await_resume() {
    child_.promise().rethrow_failure();
    return child_.promise().take_result();
  }

 private:
  std::coroutine_handle<promise<T>> child_;
};

/// Gives the other headers access to a task's frame.
struct task_access {
  template <class T>
  [[nodiscard]] static std::coroutine_handle<promise<T>> frame(const task<T>& owner) noexcept {
    return owner.frame_;
  }

  template <class T>
  [[nodiscard]] static std::coroutine_handle<promise<T>> release(task<T>&& owner) noexcept {
    return std::exchange(owner.frame_, nullptr);
  }
};

}  // namespace detail

/// A computation that has not started. A coroutine whose return type is task<T> gives one to its
/// caller; no part of the body has run yet.
///
/// The task starts when it is awaited (`co_await std::move(t)`, or the call directly), gathered or
/// spawned. Each of these consumes it. `co_await` runs the body at once on the awaiting thread, as
/// part of the awaiting task. It returns what the coroutine returns, by value (or the reference),
/// or throws what the coroutine throws. A task that was consumed or moved from is empty; awaiting
/// it throws invalid_state. The call that creates a task throws std::bad_alloc if there is no
/// memory for the frame.
///
/// A cancel request to the awaiting task is delivered inside the awaited coroutine, at the wait
/// where that is suspended. Destroying a task that has not started destroys its frame with its
/// parameters. Awaiting costs the child's frame, from a pool, and nothing more. In asyncio: a
/// coroutine object, as `work()` returns it.
template <class T = void>
class MAGPIE_TRIVIAL_ABI
    [[nodiscard("a task does nothing until it is awaited, gathered or spawned")]] task {
 public:
  using promise_type = detail::promise<T>;
  using value_type = T;

  task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}

  task& operator=(task&& other) noexcept {
    task(std::move(other)).swap(*this);
    return *this;
  }

  ~task() {
    if (frame_) frame_.destroy();
  }

  void swap(task& other) noexcept { std::swap(frame_, other.frame_); }

  /// False when empty.
  [[nodiscard]] explicit operator bool() const noexcept { return frame_ != nullptr; }

  [[nodiscard]] detail::task_awaiter<T> operator co_await() && noexcept {
    return detail::task_awaiter<T>(std::exchange(frame_, nullptr));
  }

 private:
  friend promise_type;
  friend detail::task_access;

  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
task<T> promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<promise>::from_promise(*this));
}

template <class T>
task<T&> promise<T&>::get_return_object() noexcept {
  return task<T&>(std::coroutine_handle<promise>::from_promise(*this));
}

inline task<void> promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<promise>::from_promise(*this));
}

}  // namespace detail

}  // namespace magpie
