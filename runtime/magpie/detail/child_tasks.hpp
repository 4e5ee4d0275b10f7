#pragma once

#include <coroutine>
#include <exception>
#include <magpie/detail/abort_scope.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/runtime.hpp>
#include <vector>

namespace magpie::detail {

/// The children of a task group: spawned tasks that all end before the group does. The group or its
/// children spawn them. Lives in the group.
///
/// Each child has a *member*: a waiter that the task's worker runs after the end has been
/// published. It visits the task's state, and ends that visit. Its word says so:
///
///     task --child_ended()--> none
///      |  ^                    ^
///      v  |                    |
///     task, being told --------+   by child_ended()
///
/// Only abort() tells a child. A child that ends meanwhile leaves the visit to abort(). So one of
/// the two ends the visit, and then counts the member as ended in its block.
///
/// Members lie in blocks of a few. A block counts its members that have not ended, those that have
/// not been launched among them. The thread that brings the count to 0 takes the block out of the
/// list. So a thread that ends children seldom takes the lock, and touches nothing that a thread
/// which launches others writes. From the first join on each child has a block of its own, because
/// nobody would know when the last block gets no more children.
///
/// The lock guards the list of blocks and the stage. A thread holds it for a few instructions. In
/// that time it takes no other lock but the registry's and that of the child's waiters, runs no
/// user's code, and cancels no task.
///
///     open --abort()--> aborting
///       \                  |
///        +--> finished <---+   when no block is left and no abort() runs
///
/// The join moves the stage to finished. If the join waits, the last child or abort() does so for
/// it.
class child_tasks {
 public:
  /// For the runtime of the calling task. Throws invalid_state outside of a task.
  child_tasks();
  child_tasks(const child_tasks&) = delete;
  child_tasks& operator=(const child_tasks&) = delete;
  /// All children must have ended.
  ~child_tasks() MAGPIE_UNCHECKED_LOCKING;

  /// Returns the scope of the body. The first failure of a child aborts it.
  [[nodiscard]] abort_scope& body_scope() noexcept { return body_scope_; }

  /// Launches `state` as a child, with one handle for the caller. Any thread. Throws invalid_state
  /// if the stage is not open or the runtime is shut down, and std::bad_alloc; then the state is
  /// discarded.
  void launch(task_state_base& state, const spawn_options& options);

  /// Cancels the body and all children, once; from then on launch() refuses. Any thread, until the
  /// children have been joined: the join waits for this call to return.
  void abort() noexcept;

  /// Claims the join for the caller. Throws invalid_state if it was claimed before.
  void claim_join();

  /// Awaited, waits until all children have ended; from then on launch() refuses. Throws
  /// `cancelled` if the awaiting task is cancelled; then children may still run.
  class join_awaiter;
  [[nodiscard]] join_awaiter join() noexcept;

  /// Returns the children's failures, in the order of their ends. Only after the join: no other
  /// thread is here any more.
  [[nodiscard]] std::vector<std::exception_ptr> take_failures() MAGPIE_UNCHECKED_LOCKING;

  /// Ends the program, with the names of the children, if there were any and they have not been
  /// joined: they may use what is about to go.
  void check_joined() noexcept;

  /// Returns whether the error only says that launch() of this object refused a task.
  [[nodiscard]] bool is_refusal(const std::exception_ptr& error) const noexcept;

 private:
  enum class stage : unsigned char { open, aborting, finished };
  enum class launching : unsigned char { done, refused, needs_block, needs_own_block };
  struct member;
  struct block;
  struct refusal;

  /// Launches the child, in `spare` if no block has room. Takes `spare` then.
  [[nodiscard]] launching try_launch(task_state_base& state, block*& spare);
  static void child_ended(job& self, worker& here) noexcept;
  void note_failure(member& ended, std::exception_ptr error) noexcept;
  void tell(member& child) noexcept;
  void finish(member& ended, task_state_base& task) noexcept;

  /// Ends one use of a block, which may be gone then, and the group with it.
  void release(block& used) noexcept;
  /// Returns the first block, or the one behind `held`, and keeps it until it is given back here.
  [[nodiscard]] block* hold_next(block* held) noexcept;
  void add(block& added) noexcept MAGPIE_REQUIRES(lock_);
  /// Takes a block without running children out of the list. Returns it, for the caller to delete
  /// after the lock; or null, if failures lie in it.
  [[nodiscard]] block* remove(block& ended) noexcept MAGPIE_REQUIRES(lock_);
  /// No member is added to the open block any more. Returns what is to be deleted of it, or null.
  [[nodiscard]] block* close_open() noexcept MAGPIE_REQUIRES(lock_);

  /// If the join waits and nothing is left, moves to finished and returns the join, for the caller
  /// to wake. Otherwise returns null; after the caller has released the lock it must touch nothing
  /// here.
  [[nodiscard]] join_awaiter* take_finished_join() noexcept MAGPIE_REQUIRES(lock_);
  [[nodiscard]] bool is_empty() const noexcept MAGPIE_REQUIRES(lock_) {
    return blocks_ == nullptr && !is_being_aborted_;
  }

  runtime_core& core_;
  abort_scope body_scope_;

  spin_lock lock_;
  stage stage_ MAGPIE_GUARDED_BY(lock_) = stage::open;
  bool is_being_aborted_ MAGPIE_GUARDED_BY(lock_) = false;  // abort() runs
  bool is_used_ MAGPIE_GUARDED_BY(lock_) = false;           // there were children
  bool is_claimed_ MAGPIE_GUARDED_BY(lock_) = false;        // the join is
  bool was_awaited_ MAGPIE_GUARDED_BY(lock_) = false;       // a join has begun
  // The block to which members are added: for how many more there is room, and where. Valid if
  // there is room.
  unsigned room_ MAGPIE_GUARDED_BY(lock_) = 0;
  block* open_ MAGPIE_GUARDED_BY(lock_) = nullptr;
  member* next_member_ MAGPIE_GUARDED_BY(lock_) = nullptr;
  block* blocks_ MAGPIE_GUARDED_BY(lock_) = nullptr;         // in which there are running children
  block* failed_blocks_ MAGPIE_GUARDED_BY(lock_) = nullptr;  // others, in which failures lie
  member* failed_ MAGPIE_GUARDED_BY(lock_) = nullptr;  // those of failed children; newest first
  join_awaiter* joining_ MAGPIE_GUARDED_BY(lock_) = nullptr;
};

class child_tasks::join_awaiter : private leaf_wait {
 public:
  explicit join_awaiter(child_tasks& children) noexcept
      : leaf_wait(operations_of<join_awaiter>), children_(children) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  [[nodiscard]] bool await_suspend(task_coroutine suspended) noexcept;
  void await_resume() { resume(); }

 private:
  friend child_tasks;
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept;
  static void describe(wait_descriptions& into) noexcept { into.add({.what = "task group"}); }

  child_tasks& children_;
};

inline child_tasks::join_awaiter child_tasks::join() noexcept { return join_awaiter(*this); }

}  // namespace magpie::detail
