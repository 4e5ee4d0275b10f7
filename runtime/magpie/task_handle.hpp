#pragma once

#include <coroutine>
#include <exception>
#include <magpie/detail/check.hpp>
#include <magpie/detail/handle_wait.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/errors.hpp>
#include <magpie/task.hpp>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace magpie {

template <class T = void>
class task_handle;

namespace detail {
struct handle_access;
}

/// What the handles of all tasks have in common: the status, the name and the failure of a task,
/// and the means to cancel it.
///
/// Copies refer to the same task, and two handles are equal if they do. Dropping handles never
/// stops the task. Any thread may use a handle, also after the runtime is gone; but no thread may
/// change a handle object while another thread uses that object. A default-constructed or
/// moved-from handle is empty. It may be copied, assigned, destroyed, compared, and tested with
/// operator bool; any other use fails a MAGPIE_CHECK.
class task_handle_base {
 public:
  [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
  [[nodiscard]] bool operator==(const task_handle_base&) const noexcept = default;

  /// Returns true once the task has ended, and then always. What the task did happens before a call
  /// that returns true. In asyncio: `task.done()`.
  [[nodiscard]] bool done() const noexcept { return state().is_done(); }

  /// Returns true if the task has ended with `cancelled`. In asyncio: `task.cancelled()`.
  [[nodiscard]] bool cancelled() const noexcept { return status() == task_status::cancelled; }

  [[nodiscard]] task_status status() const noexcept { return state().status(); }

  /// Makes a cancel request. `cancelled`, with this reason, is thrown in the task where that is
  /// suspended, or at its next suspension or checkpoint(). A task that has not begun never runs its
  /// body. If the task waits for other tasks, those end first: a wait for a handle forwards the
  /// request to that task, and a gather waits for its cancelled children. A request is not a
  /// command. The task ends when it has cleaned up, or it swallows `cancelled` and goes on.
  ///
  /// Returns false if the task has already ended; the call then has no effect. Otherwise returns
  /// true, and a task that returns before the request is delivered ends as cancelled. Several
  /// requests made before the first delivery are delivered once. Throws std::bad_alloc if there is
  /// no memory for the reason, and then has made no request. Any thread. In asyncio:
  /// `task.cancel(reason)`.
  bool cancel(std::string_view reason = {}) const;

  /// Returns the number of cancel requests, less those taken back by uncancel(). The delivery of a
  /// request does not change it. It counts to 65,535. In asyncio: `task.cancelling()`.
  [[nodiscard]] unsigned cancelling() const noexcept { return state().cancelling(); }

  /// Takes back one cancel request, if there is one and the task has not ended. Returns how many
  /// remain. If none remain, a request that has not been delivered is never delivered. In asyncio:
  /// `task.uncancel()`.
  unsigned uncancel() const noexcept { return state().uncancel(); }

  /// Returns what the task threw, or null if it has a result. Counts as observing the failure.
  /// Throws invalid_state before the end, and `cancelled` if the task was cancelled. In asyncio:
  /// `task.exception()`.
  [[nodiscard]] std::exception_ptr exception() const { return state().failure(); }

  /// Calls `callback(handle)` on a worker of the task's runtime once the task is done, but never on
  /// the calling thread before this call returns. The callbacks of one task run one after the
  /// other, in order of registration, and outside of any task. What they throw goes to
  /// runtime_options::on_unobserved. Returns an id for remove_done_callback(). Throws
  /// std::bad_alloc, and invalid_state if the task has ended and its runtime has ended too or
  /// accepts no more tasks. Any thread. In asyncio: `task.add_done_callback(callback)`.
  done_callback_id add_done_callback(done_callback callback) const {
    return state().add_done_callback(std::move(callback));
  }

  /// Removes a callback that has not started. Returns how many it removed, 1 or 0. Any thread. In
  /// asyncio: `task.remove_done_callback(callback)`.
  std::size_t remove_done_callback(done_callback_id id) const {
    return state().remove_done_callback(id);
  }

  /// Returns the name of the task; `Task-N`, with a number, for a task without one. Throws
  /// std::bad_alloc. Any thread. In asyncio: `task.get_name()`.
  [[nodiscard]] std::string name() const { return state().name(); }

  /// Returns in words what the task is suspended at: `sleep, 1.250 s to go`, `task "fetch"`,
  /// `semaphore "db" (3 ahead)`, with `; timeout in 0.500 s` if a timeout is around it; `3 of
  /// these:` for the children of a gather; or `nothing (ready or running)`, `nothing (done)`. The
  /// text describes one moment during the call; the task may have gone on since. It is for people,
  /// and its wording may change. Throws std::bad_alloc. Any thread.
  [[nodiscard]] std::string waiting_for() const { return state().waiting_for(); }

  /// Returns the place where the task was spawned. Any thread.
  [[nodiscard]] const std::source_location& spawned_at() const { return state().spawned_at(); }

  /// Sets the name of the task, whether it is done or not. Throws std::bad_alloc. Any thread. In
  /// asyncio: `task.set_name(name)`.
  void set_name(std::string_view name) const { state().set_name(name); }

 protected:
  friend detail::handle_access;

  task_handle_base() noexcept = default;
  explicit task_handle_base(detail::task_state_base* state) noexcept : state_(state) {}
  task_handle_base(const task_handle_base&) = default;
  task_handle_base& operator=(const task_handle_base&) = default;
  ~task_handle_base() = default;

  [[nodiscard]] detail::task_state_base& state() const noexcept {
    MAGPIE_CHECK(state_ != nullptr, "a handle that stands for a task, not an empty one");
    return *state_;
  }

  detail::task_state_base* state_ = nullptr;
};

/// A handle of a spawned task of any result type. It does not hold the result: while there are such
/// handles, the last task_handle<T> may still take the result out.
class any_task_handle : public task_handle_base {
 public:
  any_task_handle() noexcept = default;
  any_task_handle(const any_task_handle& other) noexcept : task_handle_base(other) {
    if (state_ != nullptr) state_->add_visit();
  }
  any_task_handle(any_task_handle&& other) noexcept
      : task_handle_base(std::exchange(other.state_, nullptr)) {}
  template <class T>
  any_task_handle(const task_handle<T>& other) noexcept : task_handle_base(other) {
    if (state_ != nullptr) state_->add_visit();
  }
  template <class T>
  any_task_handle(task_handle<T>&& other) noexcept
      : task_handle_base(std::exchange(other.state_, nullptr)) {
    if (state_ != nullptr) state_->turn_handle_into_visit();
  }
  any_task_handle& operator=(any_task_handle other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~any_task_handle() {
    if (state_ != nullptr) state_->end_visit();
  }

 private:
  friend detail::handle_access;

  /// Adopts a visit that the state's count already includes.
  explicit any_task_handle(detail::task_state_base& state) noexcept : task_handle_base(&state) {}
};

namespace detail {

struct handle_access {
  template <class Handle, class State>
  [[nodiscard]] static Handle adopt(State& state) noexcept {
    return Handle(state);
  }

  [[nodiscard]] static any_task_handle share(task_state_base& state) noexcept {
    state.add_visit();
    return any_task_handle(state);
  }

  [[nodiscard]] static task_state_base& state(const task_handle_base& handle) noexcept {
    return handle.state();
  }

  /// `handle` is a task_handle<T>.
  template <class T>
  [[nodiscard]] static task_state<T>& state_of(const task_handle_base& handle) noexcept {
    return static_cast<task_state<T>&>(handle.state());
  }
};

/// What result() and co_await of an lvalue return.
template <class T>
struct result_reference {
  using type = const T&;
};
template <class T>
struct result_reference<T&> {
  using type = T&;
};
template <>
struct result_reference<void> {
  using type = void;
};

template <class T>
class shared_handle_awaiter;
template <class T>
class taking_handle_awaiter;
template <class T>
T take_result(const task_handle<T>& handle);

/// Throws timeout_error if the limit passes first, and invalid_state on a worker.
void block_until_end(task_state_base& awaited, duration limit);

}  // namespace detail

/// The handle of a spawned task<T>.
///
/// `co_await handle` waits until the task has ended. It returns a reference to the result, which
/// lives as long as any handle, or throws what the task threw. Any number of tasks may await the
/// same handle, and all get the same outcome. `co_await std::move(handle)` (or of a temporary)
/// returns the result itself: moved out if this is the last task_handle<T> of the task, a copy
/// otherwise. It throws invalid_state if there are others and the type cannot be copied. Either
/// form throws invalid_state outside of a task, and if a task awaits itself.
///
/// A cancel request to the awaiting task is forwarded to the awaited task, whose outcome is then
/// the answer. The awaiting task itself gets `cancelled` only if the awaited task had ended before
/// the request could be forwarded. In asyncio: `await task`.
template <class T>
class task_handle : public task_handle_base {
 public:
  task_handle() noexcept = default;
  task_handle(const task_handle& other) noexcept : task_handle_base(other) {
    if (state_ != nullptr) state_->add_handle();
  }
  task_handle(task_handle&& other) noexcept
      : task_handle_base(std::exchange(other.state_, nullptr)) {}
  task_handle& operator=(task_handle other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~task_handle() {
    if (state_ != nullptr) state_->drop_handle();
  }

  /// Returns the result or throws what the task threw. Throws invalid_state before the end. Counts
  /// as observing a failure. The reference lives as long as any handle. In asyncio:
  /// `task.result()`.
  typename detail::result_reference<T>::type result() const {
    state().require_result();
    if constexpr (!std::is_void_v<T>) {
      return detail::handle_access::state_of<T>(*this).result();
    }
  }

  /// Blocks the calling thread until the task has ended, then returns result(). Called on a
  /// temporary or moved handle, it returns the result itself, as `co_await` would. Throws
  /// timeout_error if `limit` passes first; the task goes on. Throws invalid_state on a worker.
  typename detail::result_reference<T>::type get(duration limit = no_limit) const& {
    detail::block_until_end(state(), limit);
    return result();
  }
  T get(duration limit = no_limit) && {
    detail::block_until_end(state(), limit);
    return detail::take_result(*this);
  }

  /// Returns a std::future<T> of the outcome, for code that needs one. The future gets the result
  /// itself: moved out if all other handles are gone when the task ends, a copy otherwise. If the
  /// type cannot be copied then, it gets invalid_state. After a failure it gets what the task
  /// threw, `cancelled` too. Counts as observing a failure. Throws std::bad_alloc.
  ///
  /// Any thread; but a std::future blocks, so workers use co_await. The worker that ends the task
  /// moves or copies the result; if the task has ended, the calling thread does so at once. Include
  /// <magpie/future.hpp> to use it.
  [[nodiscard]] auto as_future() const&;
  /// The same, but gives up this handle.
  [[nodiscard]] auto as_future() &&;

  [[nodiscard]] detail::shared_handle_awaiter<T> operator co_await() const& noexcept {
    return detail::shared_handle_awaiter<T>(*this);
  }
  [[nodiscard]] detail::taking_handle_awaiter<T> operator co_await() && noexcept {
    return detail::taking_handle_awaiter<T>(std::move(*this));
  }

 private:
  friend any_task_handle;
  friend detail::handle_access;

  /// Adopts a handle that the state's count already includes.
  explicit task_handle(detail::task_state<T>& state) noexcept : task_handle_base(&state) {}
};

namespace detail {

/// Returns the result of an ended task, moved out of its state. It must not be read afterwards.
template <class T>
T move_result(const task_handle<T>& handle) {
  task_state<T>& state = handle_access::state_of<T>(handle);
  state.require_result();
  if constexpr (std::is_reference_v<T>) {
    return state.result();
  } else if constexpr (!std::is_void_v<T>) {
    return std::move(state.result());
  }
}

/// Returns the result of an ended task: moved out if this is the last handle of the task's own
/// type, otherwise copied. What the task threw comes first.
template <class T>
T take_result(const task_handle<T>& handle) {
  if constexpr (std::is_void_v<T> || std::is_reference_v<T>) {
    return move_result(handle);
  } else {
    if (handle_access::state(handle).has_one_handle()) return move_result(handle);
    if constexpr (std::is_copy_constructible_v<T>) {
      return handle.result();
    } else {
      handle_access::state(handle).require_result();
      throw_invalid_state(
          "the last task_handle of the task, to take a result that cannot be copied");
    }
  }
}

/// Adds a handle of its own only if it has to wait. Until then the awaited handle keeps the state.
template <class T>
class shared_handle_awaiter final : public handle_wait {
 public:
  explicit shared_handle_awaiter(const task_handle<T>& awaited) noexcept
      : handle_wait(handle_access::state(awaited)) {}
  ~shared_handle_awaiter() {
    if (has_suspended()) awaited_.drop_handle();
  }

  [[nodiscard]] bool await_suspend(task_coroutine suspended) noexcept {
    awaited_.add_handle();
    return suspend_until_end(suspended);
  }

  typename result_reference<T>::type await_resume() {
    resume_after_end();
    awaited_.require_result();
    if constexpr (!std::is_void_v<T>) return static_cast<task_state<T>&>(awaited_).result();
  }
};

template <class T>
class taking_handle_awaiter final : public handle_wait {
 public:
  explicit taking_handle_awaiter(task_handle<T>&& awaited) noexcept
      : handle_wait(handle_access::state(awaited)), handle_(std::move(awaited)) {}

  [[nodiscard]] bool await_suspend(task_coroutine suspended) noexcept {
    return suspend_until_end(suspended);
  }

  T await_resume() {
    resume_after_end();
    return take_result(handle_);
  }

 private:
  const task_handle<T> handle_;
};

}  // namespace detail

}  // namespace magpie
