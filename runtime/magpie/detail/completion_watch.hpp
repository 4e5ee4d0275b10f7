#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <magpie/clock.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/task_state.hpp>
#include <optional>
#include <utility>

namespace magpie::detail {

struct completion_block;

/// Which end of a watched task decides: a wait for more of them is over then.
enum class deciding_end : unsigned char { none, failure, failure_or_cancel };

/// Watches many tasks, to tell one coroutine at a time in which order they end. One block of
/// memory; nothing is allocated later. runtime/README.md draws the states.
class completion_watch {
 public:
  completion_watch() noexcept = default;
  /// For up to `most` tasks. Throws std::bad_alloc.
  completion_watch(std::size_t most, deciding_end decides);
  completion_watch(completion_watch&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)) {}
  completion_watch& operator=(completion_watch&& other) noexcept {
    completion_watch(std::move(other)).swap(*this);
    return *this;
  }
  /// When nobody waits. Leaves nothing in the tasks.
  ~completion_watch();

  void swap(completion_watch& other) noexcept { std::swap(block_, other.block_); }

  /// Before the first wait. Gives the task the next number, from 0 on, unless it is watched
  /// already: then false. One that has ended comes at once. The caller has a handle until this
  /// object is gone or the task has come. Throws invalid_state in the task itself.
  bool watch(task_state_base& task);

  /// How many tasks are watched.
  [[nodiscard]] std::size_t size() const noexcept;

  /// How many have come so far.
  [[nodiscard]] std::size_t arrived() const noexcept;

  /// The number of the task that came next; nothing when none has come since the last call.
  [[nodiscard]] std::optional<std::size_t> next() noexcept;

  /// The first that decided; null for none.
  [[nodiscard]] task_state_base* decisive() const noexcept;

  /// What the tasks threw, or will throw, counts as seen. While the caller has handles of all.
  void observe_all() noexcept;

 private:
  friend class completion_wait;

  completion_block* block_ = nullptr;
};

/// What a request to cancel does to a wait for many tasks.
enum class requests_to_wait : unsigned char {
  end_it,         // the tasks go on
  are_passed_on,  // to the tasks; the wait is for the end of all of them then
};

/// Waits until enough of the watched tasks have come, or one has decided, or the time is over.
/// Lives in the awaiter.
class completion_wait : private leaf_wait {
 public:
  /// `what` tells what is waited for, and lives for ever.
  completion_wait(completion_watch& watched, requests_to_wait requests, const char* what) noexcept;

  /// For await_ready: whether `enough` tasks have come, or one has decided. Throws invalid_state
  /// outside of a task, and while another coroutine waits.
  [[nodiscard]] bool begin(std::size_t enough);

  /// For await_suspend, after begin().
  [[nodiscard]] bool suspend_until(std::coroutine_handle<> suspended,
                                   time_point deadline = time_point::max());

  /// For await_resume: throws `cancelled` when there is a request that the coroutine has to be told
  /// of.
  void resume_after_wait();

 private:
  friend leaf_wait;
  friend completion_block;

  static void pass_on(scope_member& self, cancel_round& round) noexcept;
  static const operations leaving;
  static const operations passing;

  [[nodiscard]] bool enter() noexcept;
  [[nodiscard]] bool withdraw() noexcept;
  [[nodiscard]] wait_description describe() const noexcept { return {what_, deadline_}; }
  void pass_on_to_all() noexcept;
  void stop_timer() noexcept;

  completion_watch& watched_;
  const char* const what_;
  time_point deadline_ = time_point::max();
  const requests_to_wait requests_;
  bool has_armed_ = false;
  // Of a request that the coroutine was told of before the wait, and that was passed on.
  cancel_scope::delivery told_before_ = cancel_scope::delivery::none;
  // Guarded by the scope's lock: the last round that was passed on, and to how many.
  std::uint64_t passed_round_ = 0;
  std::size_t passed_to_ = 0;
};

}  // namespace magpie::detail
