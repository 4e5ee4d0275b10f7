#pragma once

#include <cstdint>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/mutex.hpp>
#include <magpie/task.hpp>
#include <utility>

namespace magpie {

/// Lets tasks that hold a mutex wait until what the mutex guards has changed.
///
///     magpie::mutex::guard held = co_await queue_lock.lock();
///     co_await not_empty.wait(held, [&] { return !queue.empty(); });
///
/// - A wait gives the mutex away and has it again when it ends, however it ends.
/// - First come, first notified. A notification without a waiter is lost. A waiter may be notified
///   although what it waits for has gone again by the time that it has the mutex: use the form with
///   a predicate.
/// - It must outlive its waits: to destroy it while a task waits aborts the program. Tasks of
///   several runtimes may share it. All waits of one time use the same mutex.
/// - Nothing is allocated; the form with a predicate costs a frame.
///
/// In asyncio: `asyncio.Condition`, which owns its lock.
class condition {
 public:
  condition() noexcept = default;
  condition(const condition&) = delete;
  condition& operator=(const condition&) = delete;
  ~condition();

  class waiting;

  /// Awaited, unlocks the mutex that `held` holds, waits for a notification and for the mutex, and
  /// gives nothing. `held` then holds it again; nobody may use it during the wait. The call throws
  /// invalid_state for an empty guard; the await does outside of a task.
  ///
  /// A cancel request to the awaiting task ends the wait for a notification. `cancelled` is thrown
  /// when the task has the mutex again. A waiter that notify_one() had chosen by then passes the
  /// notification on. A time limit does the same.
  [[nodiscard]] waiting wait(mutex::guard& held);

  /// Waits until `holds()` returns true, which is called with the mutex held, before the first wait
  /// and after each notification.
  template <class Predicate>
  [[nodiscard]] task<> wait(mutex::guard& held, Predicate holds);

  /// Wakes the task that has waited longest, if any. Any thread, with or without the mutex.
  void notify_one() noexcept;

  /// Wakes all tasks that wait. O(n), with a lock held for O(1). Any thread, with or without the
  /// mutex.
  void notify_all() noexcept;

 private:
  detail::wait_list waiters_;  // each a waiting
  // How often all were notified. A waiter that has come before the last time is not in the list.
  std::uint64_t rounds_ MAGPIE_GUARDED_BY(waiters_) = 0;
};

/// What condition::wait() returns, to be awaited once and at once.
///
/// It goes from the condition's list to the mutex's: by notify(), or by a cancel request. The
/// thread that takes it out of the first puts it into the second, or gives it the mutex. The task
/// held the mutex when it came, and goes on when it has it again.
class [[nodiscard]] condition::waiting : private mutex::waiting {
 public:
  waiting(condition& source, mutex& held) noexcept
      : mutex::waiting(operations_of_wait, held), condition_(source) {}

  [[nodiscard]] bool await_ready();
  [[nodiscard]] bool await_suspend(detail::task_coroutine suspended);
  void await_resume();

 private:
  friend condition;

  void wait_for_mutex() noexcept;
  static void notify(detail::scope_member& self, detail::cancel_round& round) noexcept;
  static void describe(const detail::scope_member& self, detail::wait_descriptions& into) noexcept;
  static constexpr operations operations_of_wait{&notify, &describe};

  condition& condition_;
  // Guarded by the condition's lock. The wait is in its list if it is listed and the condition's
  // number of rounds is still the same.
  bool is_listed_ = false;
  std::uint64_t rounds_ = 0;
  bool was_chosen_ = false;  // by notify_one(), which has taken it out of the list
  detail::single_await once_;
};

inline condition::waiting condition::wait(mutex::guard& held) {
  if (!held) [[unlikely]]
    detail::throw_invalid_state("a guard that holds a mutex, to wait for a condition");
  return waiting(*this, *held.held_);
}

template <class Predicate>
task<> condition::wait(mutex::guard& held, Predicate holds) {
  while (!holds()) co_await wait(held);
}

}  // namespace magpie
