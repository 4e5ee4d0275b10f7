#pragma once

#include <coroutine>
#include <exception>
#include <magpie/detail/check.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/errors.hpp>
#include <magpie/task.hpp>
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

/// A handle of a spawned task of any type: its status, name and failure.
///
/// Copies stand for the same task. Handles may be used from any thread, also after the runtime is
/// gone, and dropping them never stops the task; one handle object is not to be changed while
/// another thread uses it. A default-constructed or moved-from handle is empty and only good for
/// assignment, destruction, operator bool and comparison.
class any_task_handle {
 public:
  any_task_handle() noexcept = default;
  any_task_handle(const any_task_handle& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->add_handle();
  }
  any_task_handle(any_task_handle&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)) {}
  any_task_handle& operator=(any_task_handle other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~any_task_handle() {
    if (state_ != nullptr) state_->drop_handle();
  }

  [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
  [[nodiscard]] bool operator==(const any_task_handle&) const noexcept = default;

  /// The task has ended; for good. What it did happens before a call that says true.
  [[nodiscard]] bool done() const noexcept { return state().is_done(); }

  /// The task has ended by `cancelled`.
  [[nodiscard]] bool cancelled() const noexcept { return status() == task_status::cancelled; }

  [[nodiscard]] task_status status() const noexcept { return state().status(); }

  /// Asks the task to end: throws `cancelled` with this reason at the place where it is suspended,
  /// or at its next suspension; a task that has not begun never does. What it awaits is asked to
  /// end first: a task whose handle it awaits, the children of a gather. It is no order: the task
  /// ends when it has cleaned up, and may go on instead.
  ///
  /// Returns false when the task has ended already, and then nothing happens; else true, and then a
  /// task that returns without having been told ends as cancelled. Several requests before the
  /// first is delivered are delivered once. Any thread. Throws std::bad_alloc when there is no
  /// memory for the reason, and then has done nothing. In asyncio: `task.cancel(reason)`.
  bool cancel(std::string_view reason = {}) const { return state().cancel(reason); }

  /// How many requests to cancel have come, less those taken back by uncancel().
  [[nodiscard]] unsigned cancelling() const noexcept { return state().cancelling(); }

  /// Takes back one request, if there is one and the task has not ended; returns what remains. When
  /// that is 0, a request that has not been delivered yet never will be.
  unsigned uncancel() const noexcept { return state().uncancel(); }

  /// What the task threw, or null when it has a result; counts as observing the failure. Throws
  /// invalid_state before the end, and `cancelled` when the task was cancelled.
  [[nodiscard]] std::exception_ptr exception() const { return state().failure(); }

  /// Has `callback(handle)` called on a worker once the task is done, never before this call
  /// returns on the calling thread. Callbacks of one task run one after the other, in order of
  /// registration, outside of any task; what they throw goes to runtime_options::on_unobserved.
  /// Throws std::bad_alloc, and invalid_state when the task and its runtime have ended.
  done_callback_id add_done_callback(done_callback callback) const {
    return state().add_done_callback(std::move(callback));
  }

  /// Removes a callback that has not been started; returns how many that were, 1 or 0.
  std::size_t remove_done_callback(done_callback_id id) const {
    return state().remove_done_callback(id);
  }

  [[nodiscard]] std::string name() const { return state().name(); }

  /// What the task is suspended at, in words: `sleep, 1.250 s to go`, `task "fetch"`, `3 of these:`
  /// for the children of a gather, or `nothing (ready or running)`, `nothing (done)`. As it is at a
  /// moment of this call; the task goes on meanwhile. For people: the words may change. Any thread.
  /// Throws std::bad_alloc.
  [[nodiscard]] std::string waiting_for() const { return state().waiting_for(); }

  /// At any time, done or not. Throws std::bad_alloc.
  void set_name(std::string_view name) const { state().set_name(name); }

 protected:
  friend detail::handle_access;

  /// Takes over one handle of the state's count.
  explicit any_task_handle(detail::task_state_base& state) noexcept : state_(&state) {}

  [[nodiscard]] detail::task_state_base& state() const noexcept {
    MAGPIE_CHECK(state_ != nullptr, "a handle that stands for a task, not an empty one");
    return *state_;
  }

 private:
  detail::task_state_base* state_ = nullptr;
};

namespace detail {

struct handle_access {
  template <class Handle, class State>
  [[nodiscard]] static Handle adopt(State& state) noexcept {
    return Handle(state);
  }

  [[nodiscard]] static any_task_handle share(task_state_base& state) noexcept {
    state.add_handle();
    return any_task_handle(state);
  }

  [[nodiscard]] static task_state_base& state(const any_task_handle& handle) noexcept {
    return handle.state();
  }

  /// `handle` is a task_handle<T>.
  template <class T>
  [[nodiscard]] static task_state<T>& state_of(const any_task_handle& handle) noexcept {
    return static_cast<task_state<T>&>(handle.state());
  }
};

/// For await_ready of a wait for `awaited`: whether it has ended. Throws invalid_state in that task
/// itself, and outside of a task, where `expected` completes the sentence.
[[nodiscard]] inline bool is_done_for_another(const task_state_base& awaited,
                                              const char* expected) {
  if (&this_scope(this_worker(expected)).root() == &awaited) [[unlikely]]
    throw_invalid_state("a task to await another task, not itself");
  return awaited.is_done();
}

/// Awaits the end of a spawned task. A request to cancel is passed on to that task, whose end then
/// comes as the answer.
class handle_awaiter_base : private leaf_wait {
 public:
  [[nodiscard]] bool await_ready() const {
    return is_done_for_another(awaited_, "a handle to be awaited in a task on a runtime");
  }

 protected:
  explicit handle_awaiter_base(task_state_base& awaited) noexcept
      : leaf_wait(handle_operations), awaited_(awaited) {}
  ~handle_awaiter_base() = default;

  /// Whoever calls this has a handle of the task until it is resumed.
  [[nodiscard]] bool suspend_until_end(std::coroutine_handle<> suspended) noexcept;

  /// For await_resume.
  void resume_after_end() {
    if (has_suspended()) resume_from_wait();
  }

  /// That suspend_until_end() has been called.
  [[nodiscard]] bool has_suspended() const noexcept { return coroutine != nullptr; }

  task_state_base& awaited_;

 private:
  friend leaf_wait;

  static void pass_on(scope_member& self, cancel_round& round) noexcept;
  void break_ring(cancel_round& round) noexcept;
  [[nodiscard]] wait_description describe() const noexcept {
    return {.what = "task", .awaited = &awaited_};
  }
  static const operations handle_operations;
  void resume_from_wait();

  // Guarded by the scope's lock.
  std::uint64_t passed_round_ = 0;  // the last round that was passed on
  std::uint32_t passed_on_ = 0;     // the requests that it was about
};

/// What result() and co_await of an lvalue give.
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

/// Throws timeout_error when the limit has passed first.
void block_until_end(task_state_base& awaited, duration limit);

}  // namespace detail

/// The handle of a spawned task<T>.
///
/// `co_await handle` waits until the task has ended and gives a reference to the result, which
/// lives as long as any handle does, or throws what the task threw; any number of tasks may await
/// the same handle, and all get the same outcome. Cancelling who awaits cancels the task; and who
/// awaits is cancelled itself only if the task ended before it was asked to. `co_await
/// std::move(handle)` (or of a temporary) gives the result itself: moved out if this is the last
/// handle, a copy otherwise; when there are other handles and the type cannot be copied, it throws
/// invalid_state. A task that awaits itself gets invalid_state.
template <class T>
class task_handle : public any_task_handle {
 public:
  task_handle() noexcept = default;

  /// The result, or what the task threw; invalid_state before the end. The reference lives as long
  /// as any handle does.
  typename detail::result_reference<T>::type result() const {
    state().require_result();
    if constexpr (!std::is_void_v<T>) {
      return detail::handle_access::state_of<T>(*this).result();
    }
  }

  /// On a thread that is not a worker: blocks until the task has ended, and gives result(); of a
  /// temporary or moved handle, the result itself as `co_await` would. When `limit` has passed
  /// first it throws timeout_error, and the task goes on. On a worker it throws invalid_state.
  typename detail::result_reference<T>::type get(duration limit = no_limit) const& {
    detail::block_until_end(state(), limit);
    return result();
  }
  T get(duration limit = no_limit) && {
    detail::block_until_end(state(), limit);
    return detail::take_result(*this);
  }

  /// A std::future<T> of the outcome, for code that wants one: the result itself, moved out if all
  /// other handles are gone when the task ends, else a copy; invalid_state when the type cannot be
  /// copied then; or what the task threw, `cancelled` too. Counts as observing a failure. The
  /// result is moved or copied by the worker that ends the task, or at once by the calling thread
  /// when it has ended. Any thread; but std::future blocks: workers have co_await. To use it
  /// include <magpie/future.hpp>. Throws std::bad_alloc.
  [[nodiscard]] auto as_future() const&;
  /// The same, and gives up this handle.
  [[nodiscard]] auto as_future() &&;

  [[nodiscard]] detail::shared_handle_awaiter<T> operator co_await() const& noexcept {
    return detail::shared_handle_awaiter<T>(*this);
  }
  [[nodiscard]] detail::taking_handle_awaiter<T> operator co_await() && noexcept {
    return detail::taking_handle_awaiter<T>(std::move(*this));
  }

 private:
  friend detail::handle_access;

  explicit task_handle(detail::task_state<T>& state) noexcept : any_task_handle(state) {}
};

namespace detail {

/// The result of an ended task, moved out of its state. Nobody else may ask for it afterwards.
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

/// The result of an ended task: moved out if this is the last handle, else copied.
template <class T>
T take_result(const task_handle<T>& handle) {
  if constexpr (std::is_void_v<T> || std::is_reference_v<T>) {
    return move_result(handle);
  } else {
    if (handle_access::state(handle).has_one_handle()) return move_result(handle);
    if constexpr (std::is_copy_constructible_v<T>) {
      return handle.result();
    } else {
      throw_invalid_state("the last handle, to take a result that cannot be copied");
    }
  }
}

/// Takes a handle of its own only when it has to wait: until then the awaited one is there.
template <class T>
class shared_handle_awaiter final : public handle_awaiter_base {
 public:
  explicit shared_handle_awaiter(const task_handle<T>& awaited) noexcept
      : handle_awaiter_base(handle_access::state(awaited)) {}
  ~shared_handle_awaiter() {
    if (has_suspended()) awaited_.drop_handle();
  }

  [[nodiscard]] bool await_suspend(std::coroutine_handle<> suspended) noexcept {
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
class taking_handle_awaiter final : public handle_awaiter_base {
 public:
  explicit taking_handle_awaiter(task_handle<T>&& awaited) noexcept
      : handle_awaiter_base(handle_access::state(awaited)), handle_(std::move(awaited)) {}

  [[nodiscard]] bool await_suspend(std::coroutine_handle<> suspended) noexcept {
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
