#pragma once

#include <cstdint>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/wait_list.hpp>

namespace magpie {

/// Something that has happened or not, for which tasks wait.
///
///     magpie::event loaded;
///     co_await loaded.wait();  // in any number of tasks
///     loaded.set();            // in another task or on any thread
///
/// - Tasks of several runtimes may share it. What was done before set() happens before the end of a
///   wait that it ends.
/// - It must outlive its waits: to destroy it while a task waits aborts the program. A task that
///   set() has woken may destroy it.
/// - Nothing is allocated. A wait for an event that is set does not suspend.
///
/// In asyncio: `asyncio.Event`.
class event {
 public:
  /// It is not set.
  event() noexcept = default;
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  ~event();

  /// Wakes all tasks that wait, and lets those go on that come later. All of them go on, even if
  /// clear() follows at once. O(1) with the lock held. Any thread.
  void set() noexcept;

  /// From now on tasks wait again. Any thread.
  void clear() noexcept;

  [[nodiscard]] bool is_set() const noexcept { return waiters_.is_marked(); }

  class waiting;

  /// Awaited, waits until the event is set, and gives nothing. Throws invalid_state outside of a
  /// task. A cancel request to the awaiting task ends the wait at once with `cancelled`.
  [[nodiscard]] waiting wait() noexcept;

 private:
  detail::wait_list waiters_;  // each a waiting; marked while the event is set
  // How often it was set. A waiter that has come before the last time is in no list any more.
  std::uint64_t sets_ MAGPIE_GUARDED_BY(waiters_) = 0;
};

/// What event::wait() returns, to be awaited once and at once.
class [[nodiscard]] event::waiting : private detail::leaf_wait {
 public:
  explicit waiting(event& source) noexcept : leaf_wait(operations_of<waiting>), source_(source) {}

  [[nodiscard]] bool await_ready();
  [[nodiscard]] bool await_suspend(detail::task_coroutine suspended);
  void await_resume() { resume(); }

 private:
  friend event;
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept;
  void describe(detail::wait_descriptions& into) const noexcept { into.add({.what = "event"}); }

  event& source_;
  std::uint64_t sets_ = 0;  // the event's, when the wait began
  detail::single_await once_;
};

inline event::waiting event::wait() noexcept { return waiting(*this); }

}  // namespace magpie
