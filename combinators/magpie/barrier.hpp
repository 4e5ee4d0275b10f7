#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/wait_list.hpp>
#include <stdexcept>

namespace magpie {

/// Thrown by a wait at a barrier that abort() has broken, or reset() has emptied.
class broken_barrier : public std::runtime_error {
 public:
  broken_barrier() : std::runtime_error("magpie: the barrier is broken") {}
};

/// A place where tasks wait until a given number of them has come. Then all go on, and the barrier
/// can be used again.
///
///     magpie::barrier step(3);
///     const std::size_t index = co_await step.wait();  // in three tasks
///
/// - Tasks of several runtimes may share it. What a task did before it came happens before the
///   others go on.
/// - It must outlive its waits: to destroy it while a task waits aborts the program. A task that
///   has gone on may destroy it.
/// - Nothing is allocated. The task that comes last does not suspend, and wakes the others: O(n),
///   with a lock held for O(1).
///
/// In asyncio: `asyncio.Barrier`, whose abort() and reset() are to be awaited.
class barrier {
 public:
  /// Throws invalid_state for zero parties.
  explicit barrier(std::size_t parties);
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;
  ~barrier();

  class waiting;

  /// Awaited, waits until as many tasks have come as there are parties. Gives each of them another
  /// index from 0 to parties - 1, in the order in which they came. Throws broken_barrier if the
  /// barrier is broken or breaks during the wait, and invalid_state outside of a task.
  ///
  /// A cancel request to the awaiting task ends the wait at once with `cancelled`. It counts as
  /// never having come.
  [[nodiscard]] waiting wait() noexcept;

  /// Breaks the barrier for good: all waits end with broken_barrier, and further ones do so at
  /// once. Any thread.
  void abort() noexcept;

  /// Makes the barrier as new. The tasks that wait get broken_barrier. Any thread.
  void reset() noexcept;

  [[nodiscard]] std::size_t parties() const noexcept { return parties_; }

  /// Returns how many tasks wait at this moment.
  [[nodiscard]] std::size_t count() const noexcept;

  [[nodiscard]] bool is_broken() const noexcept { return waiters_.is_marked(); }

 private:
  /// What has come of a wait.
  enum class fate : unsigned char { waits, goes_on, is_broken };

  /// Counts one that comes. It waits, or has come last, or the barrier is broken. Then `released`
  /// are the others, to be let go without the lock.
  [[nodiscard]] fate come(waiting& who, detail::job*& released) noexcept MAGPIE_REQUIRES(waiters_);
  [[nodiscard]] detail::job* empty() noexcept MAGPIE_REQUIRES(waiters_);
  static void let_go(detail::job* released, fate with) noexcept;

  const std::size_t parties_;
  mutable detail::wait_list waiters_;  // each a waiting; marked while the barrier is broken
  std::size_t count_ MAGPIE_GUARDED_BY(waiters_) = 0;
  // How often all waiters were let go. One that has come before the last time is not in the list.
  std::uint64_t rounds_ MAGPIE_GUARDED_BY(waiters_) = 0;
};

/// What barrier::wait() returns, to be awaited once and at once.
class [[nodiscard]] barrier::waiting : private detail::leaf_wait {
 public:
  explicit waiting(barrier& source) noexcept : leaf_wait(operations_of<waiting>), source_(source) {}

  [[nodiscard]] bool await_ready();
  [[nodiscard]] bool await_suspend(detail::task_coroutine suspended);
  std::size_t await_resume();

 private:
  friend barrier;
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept;
  void describe(detail::wait_descriptions& into) const noexcept { into.add({.what = "barrier"}); }

  barrier& source_;
  std::uint64_t rounds_ = 0;  // the barrier's, when the wait began; guarded by the barrier's lock
  // Written by the thread that lets the wait go.
  std::size_t index_ = 0;
  fate fate_ = fate::waits;
  detail::single_await once_;
};

inline barrier::waiting barrier::wait() noexcept { return waiting(*this); }

}  // namespace magpie
