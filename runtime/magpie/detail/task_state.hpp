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
#include <magpie/detail/shared_locals.hpp>
#include <magpie/detail/slot_pool.hpp>
#include <magpie/detail/task_name.hpp>
#include <magpie/detail/task_references.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/wait_list.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <new>
#include <source_location>
#include <string>
#include <string_view>

namespace magpie {

/// What became of a task. `finished`: it has a result or a failure. Nothing follows after
/// `finished` and `cancelled`.
enum class task_status : unsigned char { pending, finished, cancelled };

/// What runtime_options::on_unobserved receives: a failure that no handle observed, or what a done
/// callback threw.
struct unobserved_failure {
  std::string_view task_name;
  std::exception_ptr error;
};

using unobserved_hook = void (*)(const unobserved_failure&) noexcept;

struct spawn_options {
  /// Shown by task_handle::name() and in reports. Empty: "Task-N", with a number of its own.
  std::string_view name = {};

  /// Shown in reports. Default: the place of the call of spawn() or, where options are written out,
  /// that of the options.
  std::source_location spawned_at = std::source_location::current();
};

class any_task_handle;

/// Receives a handle of the task that has ended.
using done_callback = std::function<void(const any_task_handle&)>;

/// Returned by task_handle::add_done_callback(); removes the callback. Unique in the process.
enum class done_callback_id : std::uint64_t {};

namespace detail {

class runtime_core;
class scheduler;
struct task_extras;

/// The state of a spawned task. It outlives the coroutine's frame, which is destroyed when the task
/// ends, and lives until the last handle is gone. It is the scope of the task as a whole, and that
/// scope's lock guards it. It lies in a slot, whose references are its own. See
/// runtime/task_state.md.
class task_state_base : public job, public cancel_scope {
 public:
  task_state_base(const task_state_base&) = delete;
  task_state_base& operator=(const task_state_base&) = delete;

  // Ended or not.

  [[nodiscard]] bool is_done() const noexcept {
    return look(std::memory_order_acquire).has_ended();
  }
  [[nodiscard]] task_status status() const noexcept {
    const scope_word seen = look(std::memory_order_acquire);
    if (!seen.has_ended()) return task_status::pending;
    return seen.was_cancelled() ? task_status::cancelled : task_status::finished;
  }

  // The waiters: a worker wakes each of them once, when the task has ended. The caller holds a
  // handle or a visit, and may hold the lock of any scope.

  /// Returns false if the task has ended. Then nobody will wake `who`.
  [[nodiscard]] bool add_waiter(waiter& who) noexcept;
  /// Returns false if a worker is about to wake `who`, or has woken it.
  [[nodiscard]] bool remove_waiter(waiter& who) noexcept;

  /// Blocks the calling thread until the task has ended or the deadline has passed
  /// (time_point::max(): none). Returns false if the deadline came first.
  bool wait(time_point deadline = time_point::max()) noexcept;

  /// Returns the task's error, or null for a result. Counts as observing it. Throws invalid_state
  /// before the end, and `cancelled` if the task was cancelled.
  [[nodiscard]] std::exception_ptr failure();
  /// Returns what the task threw, `cancelled` too, or null for a result. Only after the end. Counts
  /// as observing it.
  [[nodiscard]] std::exception_ptr error() noexcept;
  /// Returns true if the task has ended with an exception other than `cancelled`.
  [[nodiscard]] bool has_error() const noexcept {
    return look(std::memory_order_acquire).has_failure();
  }
  /// Marks a failure, past or future, as observed: it needs no report.
  void observe() noexcept;
  /// Returns if there is a result. Throws invalid_state before the end, and what the task threw
  /// after a failure.
  void require_result() {
    if (!look(std::memory_order_acquire).has_result()) [[unlikely]]
      throw_instead_of_result();
  }

  // Cancelling. Any thread at any time. To make a request: cancel_round.

  /// The number of cancel requests, less those taken back.
  [[nodiscard]] unsigned cancelling() const noexcept {
    return static_cast<unsigned>(look().request_count());
  }
  /// Takes one request back. Returns how many remain.
  unsigned uncancel() noexcept;
  /// Returns the reason of the last request; null for none.
  [[nodiscard]] std::shared_ptr<const std::string> cancel_reason() noexcept;

  /// Takes a request, of which the members are still to be notified. Returns false if the task has
  /// ended. Without memory it drops the reason, unless there is room for it.
  [[nodiscard]] bool accept_request(const std::shared_ptr<const std::string>& reason) noexcept
      MAGPIE_REQUIRES(this);
  /// Throws std::bad_alloc.
  void make_room_for_reason() { static_cast<void>(extras()); }

  // For a round that forwards a request to tasks.

  [[nodiscard]] bool was_reached_by(std::uint64_t round) const noexcept MAGPIE_REQUIRES(this) {
    return look().was_reached_by(round);
  }
  [[nodiscard]] bool is_on_the_way_of(std::uint64_t round) const noexcept MAGPIE_REQUIRES(this) {
    return look().was_reached_by(round) && look().is_on_the_way();
  }
  void note_reached_by(std::uint64_t round) noexcept MAGPIE_REQUIRES(this) {
    change_to(look().reached_by(round));
  }
  void note_passed() noexcept MAGPIE_REQUIRES(this) { change_to(look().passed()); }

  /// The done callbacks. Any thread at any time.
  done_callback_id add_done_callback(done_callback callback);
  std::size_t remove_done_callback(done_callback_id id);

  // The task-locals. Called by what runs in the task, on any of its workers.

  [[nodiscard]] shared_locals locals() noexcept;
  /// Replaces the values if they are still `expected`; otherwise returns false, without effect.
  /// Throws std::bad_alloc if the task has no extras yet and there is no memory for them.
  [[nodiscard]] bool exchange_locals(const shared_locals& expected, const shared_locals& desired);

  /// Calls the hook for unobserved failures with this error.
  void report(const std::exception_ptr& error) const noexcept;

  /// Where the task was spawned.
  [[nodiscard]] const std::source_location& spawned_at() const noexcept { return spawned_at_; }

  // The name. Any thread at any time.

  [[nodiscard]] std::string name() const;
  /// The same, or another text when there is no memory for it.
  [[nodiscard]] std::string name_for_report() const noexcept;
  void set_name(std::string_view name);
  /// The number of its own that each task has: of two tasks that one thread has spawned, the later
  /// has the greater one.
  [[nodiscard]] std::uint64_t number() const noexcept { return read_name().number; }

  /// Returns in words what the task is suspended at. Any thread at any time.
  [[nodiscard]] std::string waiting_for();
  /// Collects what the task is suspended at, without words.
  void describe_waits(wait_descriptions& into) noexcept;

  // References: see task_references.

  void add_handle() noexcept { references().add_handle(); }
  void drop_handle() noexcept {
    if (references().drop_handle()) dispose();
  }
  /// Returns true if the caller's handle is the only one, so that no other code reads the result.
  [[nodiscard]] bool has_one_handle() const noexcept { return references().is_one_handle(); }

  void turn_handle_into_visit() noexcept { references().turn_handle_into_visit(); }
  void add_visit() noexcept { references().add_visit(); }
  /// For a thread that has found a slot. Returns null if the slot has no state now.
  [[nodiscard]] static task_state_base* try_visit(slot& found) noexcept;
  void end_visit() noexcept {
    if (references().end_visit()) dispose();
  }

  /// Returns the core of the task's runtime; null from the task's end on.
  [[nodiscard]] runtime_core* home() const noexcept;
  /// Whether this is a task of that runtime. At any time.
  [[nodiscard]] bool belongs_to(const runtime_core& core) const noexcept;
  /// Returns the word of that runtime's identity. Only after the end.
  [[nodiscard]] std::uint64_t identity_of_home() const noexcept {
    return home_.load(std::memory_order_acquire);
  }

  /// Makes the task known to `core`, with one handle for the caller, and makes it ready. Throws
  /// std::bad_alloc and invalid_state. The task has then not started and never will, and the state
  /// is discarded.
  void launch(runtime_core& core, const spawn_options& options);

 protected:
  /// What depends on the type of the result.
  struct operations {
    /// Called when the coroutine has ended: moves its result into the state and destroys its frame.
    /// Returns the error, for which there is no result.
    std::exception_ptr (*end)(task_state_base& self, std::exception_ptr& failure) noexcept;
    /// Destroys the result, which end() has left.
    void (*drop_result)(task_state_base& self) noexcept;
    /// Destroys the state and frees its slot.
    void (*dispose)(task_state_base& self) noexcept;
  };

  /// What the state holds: until its task's end the first coroutine, then a result or a failure,
  /// as the scope's word says.
  union content {
    content() noexcept {}
    ~content() {}

    std::coroutine_handle<> frame;
    void* box;  // which has the frame's handle until the end, and room for the result
    alignas(8) std::byte result[8];
    std::exception_ptr failure;
  };

  task_state_base(job::function run_first, const operations& typed) noexcept
      : job(run_first), cancel_scope(scope_word::kind::task), operations_(typed) {}
  ~task_state_base();

  /// Runs the first step of the task, whose first coroutine has this frame.
  void start(std::coroutine_handle<> frame, worker& here) noexcept;

  /// Written before the end is published.
  content content_;

 private:
  friend class child_tasks;
  friend class new_tasks;
  friend void end_task(task_state_base& state, failure_word& failure) noexcept;

  [[nodiscard]] task_references references() const noexcept {
    return task_references(slot::of(const_cast<task_state_base*>(this)));
  }

  // The steps of launch(). No other thread knows of the task before publish().
  void prepare(runtime_core& core, const spawn_options& options) MAGPIE_UNCHECKED_LOCKING;
  /// With a handle for the caller.
  void publish(std::uint64_t visits = 0) noexcept { references().publish(visits); }
  void discard() noexcept { operations_.dispose(*this); }
  /// For a runtime that is closing.
  void cancel_before_start() noexcept;

  /// `told`: of what the task has been told in the end.
  void finish(std::exception_ptr failure, std::uint64_t told, worker& here) noexcept;
  [[noreturn]] void throw_instead_of_result();
  [[nodiscard]] const std::exception_ptr& read_failure() const noexcept;
  void dispose() noexcept;
  [[nodiscard]] task_name read_name() const noexcept;
  void drop_locals() noexcept;

  static constexpr std::uint64_t is_number = 1;

  /// Makes the extras if there are none. Throws std::bad_alloc.
  [[nodiscard]] task_extras& extras();
  /// Returns null if there are none.
  [[nodiscard]] task_extras* existing_extras() const noexcept {
    const std::uint64_t seen = number_or_extras_.load(std::memory_order_acquire);
    return (seen & is_number) != 0 ? nullptr : reinterpret_cast<task_extras*>(seen);
  }
  /// Only while there are no extras.
  [[nodiscard]] std::uint64_t number_itself() const noexcept MAGPIE_REQUIRES(this) {
    return number_or_extras_.load(std::memory_order_relaxed) >> 1;
  }
  void set_extras(task_extras* made) noexcept MAGPIE_REQUIRES(this) {
    number_or_extras_.store(reinterpret_cast<std::uintptr_t>(made), std::memory_order_release);
  }

  const operations& operations_;

  // The address of the runtime's core while the task runs, which keeps the core alive. Then a
  // runtime_identity: what is still needed of a runtime that may be gone. prepare() writes the
  // first (relaxed; publish() orders it). finish() writes the second (release) before it publishes
  // the end. Any thread with a handle reads it (acquire).
  std::atomic<std::uint64_t> home_{0};

  // What few tasks need. While there is nothing, the number of the task, shifted, with is_number
  // set; from then on the address of the extras, which the state owns. Changes once, under the
  // scope's lock (release); read under the lock, or without it (acquire).
  std::atomic<std::uint64_t> number_or_extras_{next_task_number() << 1 | is_number};

  wait_list waiters_;  // closed when the end has been published

  std::source_location spawned_at_;  // written by prepare()
};

static_assert(sizeof(task_state_base) <= slot::body_size);

/// Returns the task that `scope` is, or is a part of.
[[nodiscard]] inline task_state_base& task_of(cancel_scope& scope) noexcept {
  return static_cast<task_state_base&>(scope.root());
}

/// Returns the scheduler of that task, which has not ended.
[[nodiscard]] scheduler& scheduler_of(cancel_scope& scope) noexcept;

/// The state of a spawned task<T>. A result of 8 bytes lies in the state itself, a larger one in a
/// box.
template <class T>
class task_state final : public task_state_base {
 public:
  /// Makes the state of `body`, which is not empty, and takes over its frame. Throws
  /// std::bad_alloc; then `body` still has the frame.
  [[nodiscard]] static task_state& make(task<T>& body) {
    // Allocated now and not when the result is there: the end of a task must not depend on memory.
    box* room = nullptr;
    if constexpr (is_boxed) room = new (allocate_frame(sizeof(box))) box;
    try {
      return *::new (static_cast<void*>(allocate_slot().body)) task_state(std::move(body), room);
    } catch (...) {
      if constexpr (is_boxed) free_box(*room);
      throw;
    }
  }

  /// Returns the result. Only after the end, and after a success.
  [[nodiscard]] auto& result() noexcept {
    if constexpr (std::is_reference_v<T>) {
      return *stored();
    } else {
      return stored();
    }
  }

 private:
  using value = typename stored_result<T>::type;
  static constexpr bool is_boxed = sizeof(value) > sizeof(content::result) || alignof(value) > 8;

  struct box {
    std::coroutine_handle<> frame;
    alignas(value) std::byte result[sizeof(value)];
  };

  static const operations typed_operations;

  task_state(task<T>&& body, [[maybe_unused]] box* room) noexcept
      : task_state_base(&run_first, typed_operations) {
    const auto frame = task_access::release(std::move(body));
    frame.promise().set_continuation(continuation(static_cast<task_state_base&>(*this)));
    if constexpr (is_boxed) {
      content_.box = room;
      room->frame = frame;
    } else {
      content_.frame = frame;
    }
  }

  ~task_state() {
    const scope_word seen = look();
    if (!seen.has_ended()) [[unlikely]] {  // it was never launched
      frame().destroy();
      if constexpr (is_boxed) free_box(own_box());
    } else if constexpr (is_boxed || !std::is_trivially_destructible_v<value>) {
      if (seen.has_result()) drop_result(*this);
    }
  }

  static void run_first(job& self, worker& here) noexcept {
    auto& state = static_cast<task_state&>(self);
    state.start(state.frame(), here);
  }

  static void dispose(task_state_base& self) noexcept {
    slot& place = slot::of(&self);
    static_cast<task_state&>(self).~task_state();
    free_slot(place);
  }

  /// Moves the result out of the frame and destroys the frame. So the task's parameters are gone
  /// when the task ends, not when the last handle is dropped.
  static std::exception_ptr end(task_state_base& ended, std::exception_ptr& failure) noexcept {
    auto& self = static_cast<task_state&>(ended);
    const auto frame = std::coroutine_handle<promise<T>>::from_address(self.frame().address());
    std::exception_ptr error = std::move(failure);
    if (!error) {
      try {
        self.store(frame.promise());
      } catch (...) {  // the result's move constructor threw
        error = std::current_exception();
      }
    }
    frame.destroy();
    if constexpr (is_boxed) {
      if (error) free_box(self.own_box());
    }
    return error;
  }

  static void drop_result(task_state_base& ended) noexcept {
    auto& self = static_cast<task_state&>(ended);
    self.stored().~value();
    if constexpr (is_boxed) free_box(self.own_box());
  }

  void store([[maybe_unused]] promise<T>& done) {
    if constexpr (std::is_void_v<T>) {
      fill_place(stored(), no_result{});
    } else if constexpr (std::is_reference_v<T>) {
      fill_place(stored(), std::addressof(done.take_result()));
    } else {
      fill_place(stored(), done.take_result());
    }
  }

  static void free_box(box& room) noexcept { free_frame(&room, sizeof(box)); }
  [[nodiscard]] box& own_box() noexcept { return *static_cast<box*>(content_.box); }

  /// Until the end.
  [[nodiscard]] std::coroutine_handle<> frame() noexcept {
    if constexpr (is_boxed) {
      return own_box().frame;
    } else {
      return content_.frame;
    }
  }
  [[nodiscard]] value& stored() noexcept {
    if constexpr (is_boxed) {
      return *std::launder(reinterpret_cast<value*>(own_box().result));
    } else {
      return *std::launder(reinterpret_cast<value*>(content_.result));
    }
  }
};

template <class T>
constexpr task_state_base::operations task_state<T>::typed_operations{&end, &drop_result, &dispose};

}  // namespace detail

}  // namespace magpie
