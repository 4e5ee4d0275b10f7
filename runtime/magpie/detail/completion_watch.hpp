#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <magpie/clock.hpp>
#include <magpie/detail/forwarding_wait.hpp>
#include <magpie/detail/task_state.hpp>
#include <optional>
#include <utility>

namespace magpie::detail {

struct completion_block;

/// Which end of a watched task decides: it ends a wait for more tasks.
enum class deciding_end : unsigned char { none, failure, failure_or_cancel };

/// Watches many tasks and gives one coroutine at a time the order in which they end. It is one
/// block of memory; it allocates nothing later. runtime/task_state.md has the states.
class completion_watch {
 public:
  completion_watch() noexcept = default;
  /// Has room for `most` tasks. Throws std::bad_alloc.
  completion_watch(std::size_t most, deciding_end decides);
  completion_watch(completion_watch&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)) {}
  completion_watch& operator=(completion_watch&& other) noexcept {
    completion_watch(std::move(other)).swap(*this);
    return *this;
  }
  /// No coroutine may wait. Leaves nothing behind in the tasks.
  ~completion_watch();

  void swap(completion_watch& other) noexcept { std::swap(block_, other.block_); }

  /// Watches the task under the next number, from 0 on. Returns false if the task is watched
  /// already. A task that has ended arrives at once. Only before the first wait. The caller keeps a
  /// handle until the task has arrived or this object is gone. Throws invalid_state if the caller
  /// is that task.
  bool watch(task_state_base& task);

  /// Returns how many tasks are watched.
  [[nodiscard]] std::size_t size() const noexcept;

  /// Returns how many have arrived so far.
  [[nodiscard]] std::size_t arrived() const noexcept;

  /// Returns the number of the next task that arrived, in order; nothing if next() has returned all
  /// that arrived.
  [[nodiscard]] std::optional<std::size_t> next() noexcept;

  /// Returns the first task that decided; null for none.
  [[nodiscard]] task_state_base* decisive() const noexcept;

  /// Marks what the tasks threw, or will throw, as observed. The caller holds handles of all tasks.
  void observe_all() noexcept;

 private:
  friend class completion_wait;

  completion_block* block_ = nullptr;
};

/// What a cancel request does to a wait for many tasks.
enum class requests_to_wait : unsigned char {
  end_it,         // the tasks go on
  are_passed_on,  // forwarded to the tasks; the wait is then for all of them
};

/// Waits until enough of the watched tasks have arrived, or one has decided, or the time is over.
/// Lives in the awaiter.
class completion_wait : private forwarding_wait {
 public:
  /// `what` says in a report what each of the tasks is to the wait; its storage duration is static.
  completion_wait(completion_watch& watched, requests_to_wait requests, const char* what) noexcept;

  /// For await_ready: returns whether `enough` tasks have arrived, or one has decided. Throws
  /// invalid_state outside of a task, and while another coroutine waits.
  [[nodiscard]] bool begin(std::size_t enough);

  /// For await_suspend, after begin().
  [[nodiscard]] bool suspend_until(std::coroutine_handle<> suspended,
                                   time_point deadline = time_point::max());

  /// For await_resume: throws `cancelled` if a cancel request must be delivered to the coroutine.
  void resume_after_wait();

 private:
  friend leaf_wait;
  friend forwarding_wait;
  friend completion_block;

  static void notify(scope_member& self, cancel_round& round) noexcept;

  [[nodiscard]] bool enter() noexcept;
  [[nodiscard]] bool withdraw() noexcept;
  void describe(wait_descriptions& into) const noexcept;
  [[nodiscard]] task_state_base* awaited(std::size_t number) noexcept;
  void stop_timer() noexcept;

  completion_watch& watched_;
  const char* const what_;
  time_point deadline_ = time_point::max();
  const requests_to_wait requests_;
  bool has_armed_ = false;
  // A request that was delivered to the coroutine before the wait, and was forwarded.
  cancel_scope::source told_before_ = cancel_scope::source::none;
};

}  // namespace magpie::detail
