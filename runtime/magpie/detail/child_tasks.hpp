#pragma once

#include <coroutine>
#include <exception>
#include <magpie/detail/abort_scope.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/runtime.hpp>
#include <vector>

namespace magpie::detail {

/// Spawned tasks that end before something else does, which spawned them or lets them spawn each
/// other: what a task group has. It lives in that.
///
/// Each child that has not ended has a *member*, a waiter that the task's end runs when it can be
/// seen: a child that has been taken out is done. The lock guards the lists of members. It is held
/// for a few instructions; no other lock is taken meanwhile but the registry's, no user's code is
/// run, and nobody is cancelled.
///
///     open --abort()--> aborting
///       \                  |      no member left, nor abort() under way; seen by the join,
///        +--> finished <---+      or for it when it waits
class child_tasks {
 public:
  /// Of the calling task. Throws invalid_state elsewhere.
  child_tasks();
  child_tasks(const child_tasks&) = delete;
  child_tasks& operator=(const child_tasks&) = delete;
  /// All children have ended.
  ~child_tasks();

  /// The body: what ends with the first failure of a child.
  [[nodiscard]] abort_scope& body_scope() noexcept { return body_scope_; }

  /// Starts `state`, with a handle for the caller, and counts it. Any thread. Throws invalid_state
  /// when this is not open, std::bad_alloc; then the state is discarded.
  void launch(task_state_base& state, const spawn_options& options);

  /// Asks the body and all children to end, once; no others may come. Any thread, while the
  /// children are there to be joined: the join waits for this call to return.
  void abort() noexcept;

  /// Awaited, waits until all children have ended; after that nobody may come. Throws `cancelled`
  /// when it is asked to end; then the children have not all ended.
  class join_awaiter;
  [[nodiscard]] join_awaiter join() noexcept;

  /// After the join: the children's failures, in the order of their ends.
  [[nodiscard]] std::vector<std::exception_ptr> take_failures();

  /// Whether the error says no more than that launch() was refused here.
  [[nodiscard]] bool is_refusal(const std::exception_ptr& error) const noexcept;

 private:
  enum class stage : unsigned char { open, aborting, finished };
  struct member;
  struct refusal;

  static void child_ended(job& self, worker& here) noexcept;
  void note_failure(member& ended, std::exception_ptr error) noexcept;

  // With the lock held.

  static void link(member& added, member*& list) noexcept;
  static void unlink(member& removed) noexcept;
  /// Takes the join that is to go on now, if it waits. Else nothing may be touched any more when
  /// the lock has been released.
  [[nodiscard]] join_awaiter* take_finished_join() noexcept;
  [[nodiscard]] bool is_empty() const noexcept {
    return children_ == nullptr && told_ == nullptr && !is_being_aborted_;
  }

  runtime_core& core_;
  abort_scope body_scope_;

  spin_lock lock_;
  // Guarded by the lock.
  stage stage_ = stage::open;
  member* children_ = nullptr;     // those that abort() has not come to
  member* told_ = nullptr;         // the others
  member* failed_ = nullptr;       // those that failed, ended or about to; newest first
  bool is_being_aborted_ = false;  // abort() has not returned
  join_awaiter* joining_ = nullptr;
};

class child_tasks::join_awaiter : private leaf_wait {
 public:
  explicit join_awaiter(child_tasks& children) noexcept
      : leaf_wait(operations_of<join_awaiter>), children_(children) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> suspended) noexcept;
  void await_resume() { resume(); }

 private:
  friend child_tasks;
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept;
  [[nodiscard]] wait_description describe() const noexcept { return {.what = "task group"}; }

  child_tasks& children_;
};

inline child_tasks::join_awaiter child_tasks::join() noexcept { return join_awaiter(*this); }

}  // namespace magpie::detail
