#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/slot_pool.hpp>
#include <magpie/detail/task_name.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <new>
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

class local_values;
class runtime_core;
struct task_extras;

using shared_locals = std::shared_ptr<const local_values>;

/// What the runtime knows of a spawned task: its life outlasts the coroutine's frame, which is
/// destroyed when the task ends, and lasts until the last handle is gone. It is the scope of the
/// task as a whole, and that scope's lock guards it. It lies in a slot, whose references are its
/// own. runtime/README.md draws the states.
class task_state_base : public job, public cancel_scope {
 public:
  task_state_base(const task_state_base&) = delete;
  task_state_base& operator=(const task_state_base&) = delete;

  // Ended or not.

  [[nodiscard]] bool is_done() const noexcept {
    return (word(std::memory_order_acquire) & ended) != 0;
  }
  [[nodiscard]] task_status status() const noexcept {
    const std::uint64_t seen = word(std::memory_order_acquire);
    if ((seen & ended) == 0) return task_status::pending;
    return (seen & was_cancelled) != 0 ? task_status::cancelled : task_status::finished;
  }

  enum class wait_result { registered, already_done };

  /// Registers `who` to be told once, by a worker. already_done: it will not be.
  [[nodiscard]] wait_result add_waiter(waiter& who) noexcept;

  /// add_waiter() for a caller that holds another task's lock.
  enum class addition { added, already_done, lock_not_free };
  [[nodiscard]] addition try_add_waiter(waiter& who) noexcept;

  /// Undoes a registration. not_there: it is about to be told, or has been.
  enum class removal { removed, not_there, lock_not_free };
  [[nodiscard]] removal try_remove_waiter(waiter& who) noexcept;

  /// Blocks the calling thread until the end, but not beyond the deadline (time_point::max():
  /// none). False when the deadline came first.
  bool wait(time_point deadline = time_point::max()) noexcept;

  /// After the end: the error, or null for a result. Both count as observing it.
  [[nodiscard]] std::exception_ptr failure();
  /// After the end: what the task threw, `cancelled` too, or null for a result. Counts as observing
  /// it.
  [[nodiscard]] std::exception_ptr error() noexcept;
  /// The task has ended by another exception than `cancelled`.
  [[nodiscard]] bool has_error() const noexcept {
    return (word(std::memory_order_acquire) & (has_failed | was_cancelled)) == has_failed;
  }
  /// A failure, past or to come, needs no report.
  void observe() noexcept;
  /// After the end: throws invalid_state before it, the task's own exception after a failure.
  void require_result() {
    const std::uint64_t seen = word(std::memory_order_acquire);
    if ((seen & (ended | has_failed)) != ended) [[unlikely]]
      throw_instead_of_result();
  }

  // To cancel. Any thread at any time.

  /// False when the task has ended. Throws std::bad_alloc when there is a reason, and then has done
  /// nothing.
  bool cancel(std::string_view reason);
  /// The same for a request that was made to `origin`, without memory, for want of which a reason
  /// is dropped.
  bool pass_on(task_state_base& origin, std::shared_ptr<const std::string> reason) noexcept;
  /// How often the task was asked to end, less what was taken back.
  [[nodiscard]] unsigned cancelling() const noexcept {
    return static_cast<unsigned>(word(std::memory_order_relaxed) / one_request);
  }
  /// Takes one request back; returns what remains.
  unsigned uncancel() noexcept;
  /// Null for none.
  [[nodiscard]] std::shared_ptr<const std::string> cancel_reason() noexcept;

  /// For a member of another task's scope, whose lock is held, that waits for this task.
  enum class passing { passed_on, already_done, lock_not_free };
  [[nodiscard]] passing try_pass_on(cancel_round& round) noexcept;

  // For a round, which links by `next`: a task that has begun is in no queue.

  [[nodiscard]] bool enter_list() noexcept;
  void leave_list() noexcept;

  /// The done callbacks. Any thread at any time.
  done_callback_id add_done_callback(done_callback callback);
  std::size_t remove_done_callback(done_callback_id id);

  // The task-locals: what runs in the task, on any of its workers.

  [[nodiscard]] shared_locals locals() noexcept;
  /// False, without effect, when the values are not `expected` any more. Throws std::bad_alloc when
  /// the task never had any.
  [[nodiscard]] bool exchange_locals(const shared_locals& expected, const shared_locals& desired);

  /// Tells the hook of a failure that nobody will see otherwise.
  void report(const std::exception_ptr& error) const noexcept;

  // The name. Any thread at any time.

  [[nodiscard]] std::string name() const;
  void set_name(std::string_view name);

  /// What the task is suspended at. Any thread at any time.
  [[nodiscard]] std::string waiting_for();
  /// The same as it is found, of a task that has not ended.
  void describe_waits(wait_descriptions& into) noexcept;

  // Who keeps the state alive: its handles, and the runtime until the task has ended.

  void add_handle() noexcept { references().fetch_add(one_handle, std::memory_order_relaxed); }
  void drop_handle() noexcept { drop(one_handle); }
  /// Only the caller's handle is left, so nobody else can ask for the outcome any more.
  [[nodiscard]] bool has_one_handle() const noexcept {
    return references().load(std::memory_order_acquire) % one_visit == one_handle;
  }

  // For whoever has found a slot and wants to know what is in it. A visit keeps the state, too, but
  // is no handle: a result that only one handle can take may be taken meanwhile.

  /// Null when the slot has no state now.
  [[nodiscard]] static task_state_base* try_visit(slot& found) noexcept;
  void end_visit() noexcept { drop(one_visit); }

  /// Whose task it is, as long as it has not ended; null from then on.
  [[nodiscard]] runtime_core* home() const noexcept;

  /// Makes the task known to `core`, with one handle for the caller, and ready. Throws
  /// std::bad_alloc and invalid_state; then it has not started and never will, and is discarded.
  void launch(runtime_core& core, const spawn_options& options);

 protected:
  /// What depends on the type of the result.
  struct operations {
    /// The coroutine has ended: takes its result over and destroys its frame. Gives the error.
    std::exception_ptr (*end)(task_state_base& self, std::exception_ptr& failure) noexcept;
    /// Destroys the state and frees its slot.
    void (*dispose)(task_state_base& self) noexcept;
  };

  task_state_base(const operations& typed, std::coroutine_handle<> frame) noexcept
      : job(&run_first), cancel_scope(kind::task), operations_(typed), frame_(frame) {}
  ~task_state_base();

  /// The first step has not begun, or the task has not ended.
  [[nodiscard]] std::coroutine_handle<> frame() const noexcept { return frame_; }

 private:
  friend class child_tasks;
  friend class new_tasks;
  friend void end_task(task_state_base& state, std::exception_ptr& failure) noexcept;

  static constexpr std::uint64_t one_handle = 1;
  static constexpr std::uint64_t one_visit = std::uint64_t{1} << 48;
  static constexpr std::uint64_t still_running = std::uint64_t{1} << 63;

  void drop(std::uint64_t reference) noexcept {
    if (references().fetch_sub(reference, std::memory_order_acq_rel) == reference) dispose();
  }

  // Handles in the low 48 bits, visits in the next 15, still_running until the task has ended; zero
  // disposes of the state.
  [[nodiscard]] std::atomic<std::uint64_t>& references() const noexcept {
    return slot::of(const_cast<task_state_base*>(this)).references;
  }

  // The steps of launch(). Between the first and the second nobody knows of the task.
  void prepare(runtime_core& core, const spawn_options& options);
  void publish(std::uint64_t held = one_handle) noexcept {
    references().store(held | still_running, std::memory_order_release);
  }
  void discard() noexcept { operations_.dispose(*this); }

  static void run_first(job& self, worker& here) noexcept;
  void finish(std::exception_ptr failure, worker& here) noexcept;
  [[noreturn]] void throw_instead_of_result();
  void dispose() noexcept;
  void ask_to_end(cancel_round& round) noexcept;
  [[nodiscard]] task_extras& extras();
  void drop_locals() noexcept;

  const operations& operations_;

  // Of a task that has not ended, its first coroutine; then its failure, if it has one: see the
  // scope's word. Written before the end is published.
  union {
    std::coroutine_handle<> frame_;
    std::exception_ptr failure_;
  };

  // The address of the runtime's core while the task runs, which keeps it alive; then what of the
  // runtime is still of interest when it may be gone: runtime_identity. Written by prepare() and,
  // before the end is published, by finish(). Read by anybody with a handle.
  std::atomic<std::uint64_t> home_{0};

  // What few tasks have; owned. Null, then for good what is made when it is first needed: stored
  // under the scope's lock (release), read with it or without (acquire).
  std::atomic<task_extras*> extras_{nullptr};

  // Guarded by the scope's lock.

  job* waiters_ = nullptr;  // until the end; each is a waiter; newest first
  task_name name_;
};

/// The state of a spawned task<T>.
template <class T>
class task_state final : public task_state_base {
 public:
  /// Takes over the frame of `body`, which is not empty. Throws std::bad_alloc; then `body` has it
  /// still.
  [[nodiscard]] static task_state& make(task<T>& body) {
    // Now, and not when the result is there: to end must not depend on memory.
    auto* const box = is_boxed ? new (allocate_frame(sizeof(storage))) storage : nullptr;
    try {
      return *::new (static_cast<void*>(allocate_slot().body)) task_state(std::move(body), box);
    } catch (...) {
      if (box != nullptr) free_frame(box, sizeof(storage));
      throw;
    }
  }

  /// After the end, when it was a success.
  [[nodiscard]] auto& result() noexcept {
    if constexpr (std::is_reference_v<T>) {
      return *stored().get();
    } else {
      return stored().get();
    }
  }

 private:
  using storage = result_slot<typename stored_result<T>::type>;
  static constexpr std::size_t room = slot::body_size - sizeof(task_state_base);
  static constexpr bool is_boxed = sizeof(storage) > room || alignof(storage) > 8;

  static const operations typed_operations;

  task_state(task<T>&& body, storage* box) noexcept
      : task_state_base(typed_operations, task_access::frame(body)) {
    auto frame = task_access::release(std::move(body));
    frame.promise().set_continuation(continuation(static_cast<task_state_base&>(*this)));
    if constexpr (is_boxed) result_ = box;
  }

  ~task_state() {
    if constexpr (is_boxed) {
      result_->~storage();
      free_frame(result_, sizeof(storage));
    }
  }

  static void destroy(task_state_base& self) noexcept {
    slot& place = slot::of(&self);
    static_cast<task_state&>(self).~task_state();
    free_slot(place);
  }

  /// The result moves out of the frame, so that the frame, with the task's parameters, goes when
  /// the task ends and not when the last handle does.
  static std::exception_ptr end(task_state_base& ended, std::exception_ptr& failure) noexcept {
    auto& self = static_cast<task_state&>(ended);
    auto frame = std::coroutine_handle<promise<T>>::from_address(self.frame().address());
    std::exception_ptr error = std::move(failure);
    if (!error) {
      try {
        self.store(frame.promise());
      } catch (...) {  // the result's move constructor threw
        error = std::current_exception();
      }
    }
    frame.destroy();
    return error;
  }

  void store(promise<T>& done) {
    if constexpr (std::is_void_v<T>) {
      stored().fill(no_result{});
    } else if constexpr (std::is_reference_v<T>) {
      stored().fill(std::addressof(done.take_result()));
    } else {
      stored().fill(done.take_result());
    }
  }

  [[nodiscard]] storage& stored() noexcept {
    if constexpr (is_boxed) {
      return *result_;
    } else {
      return result_;
    }
  }

  std::conditional_t<is_boxed, storage*, storage> result_;
};

template <class T>
constexpr task_state_base::operations task_state<T>::typed_operations{&end, &destroy};

}  // namespace detail

}  // namespace magpie
