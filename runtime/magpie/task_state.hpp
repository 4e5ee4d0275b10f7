#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <magpie/job.hpp>
#include <magpie/resumption.hpp>
#include <magpie/task.hpp>
#include <string>
#include <string_view>

namespace magpie {

/// What became of a task. `finished` covers a result and a failure; nothing follows after
/// `finished` and `cancelled`.
enum class task_status : unsigned char { pending, finished, cancelled };

/// A failure that no one asked for, as it reaches runtime_options::on_unobserved.
struct unobserved_failure {
  std::string_view task_name;
  std::exception_ptr error;
};

using unobserved_hook = void (*)(const unobserved_failure&) noexcept;

struct spawn_options {
  /// Shown by task_handle::name() and in reports; empty: "Task-N" with a number of its own.
  std::string_view name = {};
};

class any_task_handle;

/// Called with a handle of the task that has ended.
using done_callback = std::function<void(const any_task_handle&)>;

/// What task_handle::add_done_callback() gives, for removal. Unique in the process.
enum class done_callback_id : std::uint64_t {};

namespace detail {

class done_callbacks;
class runtime_core;

/// Somebody who waits for a spawned task to end. Lives in the waiter, who holds a handle.
struct waiter {
  using function = void (*)(waiter&) noexcept;

  explicit waiter(function notify_function) noexcept : notify(notify_function) {}

  /// Called once, after the task has ended; may destroy the waiter.
  function notify;
  waiter* next = nullptr;
};

/// What the runtime knows of a spawned task: its life outlasts the coroutine's frame, which is
/// destroyed when the task ends, and lasts until the last handle is gone. runtime/README.md draws
/// the states.
class task_state_base : public job, public completion {
 public:
  task_state_base(const task_state_base&) = delete;
  task_state_base& operator=(const task_state_base&) = delete;

  // Ended or not.

  [[nodiscard]] bool is_done() const noexcept {
    return waiters_.load(std::memory_order_seq_cst) == ended_mark();
  }
  [[nodiscard]] task_status status() const noexcept {
    return is_done() ? status_ : task_status::pending;
  }

  enum class wait_result { registered, already_done };

  /// Registers `who` to be notified once. already_done: it will not be.
  [[nodiscard]] wait_result add_waiter(waiter& who) noexcept;

  /// Blocks the calling thread until the end.
  void wait();

  /// After the end: the error, or null for a result. Both count as observing it.
  [[nodiscard]] std::exception_ptr failure();
  /// After the end: throws invalid_state before it, the task's own exception after a failure.
  void require_result();

  /// The done callbacks. Any thread at any time.
  done_callback_id add_done_callback(done_callback callback);
  std::size_t remove_done_callback(done_callback_id id);

  /// Tells the hook of a failure that nobody will see otherwise.
  void report(const std::exception_ptr& error) const noexcept;

  // The name. Any thread at any time.

  [[nodiscard]] std::string name() const;
  void set_name(std::string_view name);

  // Who keeps the state alive: its handles, and the runtime until the task has ended.

  void add_handle() noexcept { references_.fetch_add(one_handle, std::memory_order_relaxed); }
  void drop_handle() noexcept {
    if (references_.fetch_sub(one_handle, std::memory_order_acq_rel) == one_handle) dispose();
  }
  /// Only the caller's handle is left, so nobody else can ask for the outcome any more.
  [[nodiscard]] bool has_one_handle() const noexcept {
    return references_.load(std::memory_order_acquire) % still_running == one_handle;
  }

  /// Makes the task known to `core` and ready. Throws std::bad_alloc; then the task has not
  /// started and never will.
  void launch(runtime_core& core, const spawn_options& options);

 protected:
  using dispose_function = void (*)(task_state_base&) noexcept;

  task_state_base(completion::function end_function, dispose_function dispose,
                  std::coroutine_handle<> frame) noexcept;
  ~task_state_base();

  /// The coroutine has ended, its result is stored, its frame gone: publishes the end. Nothing of
  /// this object may be touched afterwards.
  void finish(std::exception_ptr failure) noexcept;

  std::coroutine_handle<> frame_;  // until the end

 private:
  friend class registry;

  static constexpr std::uint64_t one_handle = 1;
  static constexpr std::uint64_t still_running = std::uint64_t{1} << 63;

  // Its address marks the end in waiters_.
  static waiter end_of_list_;
  [[nodiscard]] static waiter* ended_mark() noexcept { return &end_of_list_; }

  static void run_first(job& self, worker& here) noexcept;
  void dispose() noexcept;
  [[nodiscard]] done_callbacks& callbacks();
  void submit_callbacks(runtime_core& home);

  // null: running, nobody waits. A waiter: running, head of the list of waiters, newest first.
  //   ended_mark(): ended; for ever.
  // add_waiter pushes (release, so that the worker that ends the task sees the waiter); finish
  // exchanges in the mark, which publishes the outcome to whoever sees it and leaves the list to
  // the exchanging thread alone. Nodes are only ever taken all at once, so the push has no ABA
  // problem. The exchange and is_done() are seq_cst for the sake of callbacks_.
  std::atomic<waiter*> waiters_{nullptr};
  // Handles in the low bits, still_running until the task has ended; zero disposes of the state.
  std::atomic<std::uint64_t> references_{one_handle | still_running};
  // false -> true by whoever takes or hands over the failure; a failure dropped without is
  // reported.
  std::atomic<bool> observed_{false};

  // The outcome: written before the end is published.
  task_status status_ = task_status::pending;
  std::exception_ptr failure_;

  // null, then for good the object that holds the done callbacks: moved once, by compare-exchange.
  // finish stores the end and then looks here; add_done_callback stores here and then looks for the
  // end: all four seq_cst, so that at least one of them sees the other.
  std::atomic<done_callbacks*> callbacks_{nullptr};

  // Fixed at launch, but for the home: a pointer while the task runs, which keeps the runtime
  // alive; its identity, written before the end is published, when the state may outlive the
  // runtime.
  union {
    runtime_core* home_ = nullptr;
    std::uint64_t home_id_;
  };
  unobserved_hook on_unobserved_ = nullptr;
  const dispose_function dispose_;
  std::uint64_t number_ = 0;

  std::string* name_ = nullptr;  // owned; null: "Task-<number_>"; guarded by a lock, see name()

  // The list of live tasks; guarded by the registry.
  task_state_base* next_ = nullptr;
  task_state_base* previous_ = nullptr;
  std::uint32_t shard_ = 0;
};

/// The state of a spawned task<T>.
template <class T>
class task_state final : public task_state_base {
 public:
  /// Takes over the frame of `body`, which is not empty, with one handle that the caller drops.
  explicit task_state(task<T>&& body) noexcept
      : task_state_base(&on_end, &destroy, task_access::frame(body)) {
    auto frame = task_access::release(std::move(body));
    frame.promise().set_continuation(continuation(static_cast<completion&>(*this)));
  }

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }

  /// After the end, when it was a success.
  [[nodiscard]] auto& result() noexcept {
    if constexpr (std::is_reference_v<T>) {
      return *result_.get();
    } else {
      return result_.get();
    }
  }

 private:
  static void destroy(task_state_base& self) noexcept { delete static_cast<task_state*>(&self); }

  /// The result moves out of the frame, so that the frame, with the task's parameters, goes when
  /// the task ends and not when the last handle does.
  static std::coroutine_handle<> on_end(completion& ended, std::exception_ptr* failure) noexcept {
    auto& self = static_cast<task_state&>(ended);
    auto frame = std::coroutine_handle<promise<T>>::from_address(self.frame_.address());
    std::exception_ptr error;
    if (failure != nullptr) {
      error = std::move(*failure);
    } else {
      try {
        self.store(frame.promise());
      } catch (...) {  // the result's move constructor threw
        error = std::current_exception();
      }
    }
    self.frame_ = nullptr;
    frame.destroy();
    self.finish(std::move(error));
    return std::noop_coroutine();
  }

  void store(promise<T>& ended) {
    if constexpr (std::is_void_v<T>) {
      result_.fill(no_result{});
    } else if constexpr (std::is_reference_v<T>) {
      result_.fill(std::addressof(ended.take()));
    } else {
      result_.fill(ended.take());
    }
  }

  result_slot<typename stored_result<T>::type> result_;
};

}  // namespace detail

}  // namespace magpie
