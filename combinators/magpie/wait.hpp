#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/detail/completion_watch.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/task_handle.hpp>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

namespace magpie {

/// When a wait() is over.
enum class until : unsigned char {
  first_completed,  // one task has ended, in whatever way
  first_exception,  // one has failed (a cancelled task has not), or all have ended
  all_completed,
};

/// What wait() gives: each handle is in one of the two, both of which keep the order of the input.
template <class Handle>
struct wait_result {
  std::vector<Handle> done;
  std::vector<Handle> pending;
};

namespace detail {

template <class Handle>
class wait_awaiter {
 public:
  wait_awaiter(std::vector<Handle>&& handles, until when, duration limit)
      : handles_(std::move(handles)),
        wait_(watch_, requests_to_wait::end_it, "watched task"),
        limit_(limit),
        until_(when) {}
  wait_awaiter(wait_awaiter&& other) noexcept
      : handles_(std::move(other.handles_)),
        wait_(watch_, requests_to_wait::end_it, "watched task"),
        once_(std::move(other.once_)),
        limit_(other.limit_),
        until_(other.until_) {}

  [[nodiscard]] bool await_ready() {
    once_.begin();
    if (handles_.empty()) throw_invalid_state("at least one task to wait for");
    watch_ =
        completion_watch(handles_.size(), until_ == until::first_exception ? deciding_end::failure
                                                                           : deciding_end::none);
    std::erase_if(handles_,
                  [this](const Handle& each) { return !watch_.watch(handle_access::state(each)); });
    return wait_.begin(until_ == until::first_completed ? 1 : watch_.size());
  }

  [[nodiscard]] bool await_suspend(task_coroutine suspended) {
    // With a limit of zero other tasks still go first once: a timer that is due now.
    return wait_.suspend_until(suspended,
                               limit_ == duration::zero() ? now() : deadline_for(limit_));
  }

  wait_result<Handle> await_resume() {
    wait_.resume_after_wait();
    wait_result<Handle> found{std::vector<Handle>(handles_.size()), std::move(handles_)};
    for (std::size_t left = watch_.arrived(); left != 0; --left) {
      const std::size_t came = watch_.next().value();
      found.done[came] = std::move(found.pending[came]);
    }
    // Ends the watch while the handles of the watched tasks are still here.
    watch_ = completion_watch();
    std::erase_if(found.done, [](const Handle& each) { return !each; });
    std::erase_if(found.pending, [](const Handle& each) { return !each; });
    return found;
  }

 private:
  std::vector<Handle> handles_;
  completion_watch watch_;
  completion_wait wait_;
  single_await once_;
  const duration limit_;
  const until until_;
};

}  // namespace detail

/// Waits until enough spawned tasks have ended, but no longer than `limit`.
///
///     const auto [done, pending] =
///         co_await magpie::wait(handles, magpie::until::first_completed, 2s);
///
/// - Starts no task. Tasks that have ended before the await count. The limit runs from the await;
///   one of zero or less lets other tasks go first once.
/// - Gives a wait_result: the handles of the tasks that have ended, and of those that have not,
///   each in the order of the input. A handle given twice counts once. The end of the limit is no
///   error.
/// - Throws nothing that a task threw, and counts as observing no failure. Cancels no task. Throws
///   invalid_state without handles, for the awaiting task's own, and outside of a task; and
///   std::bad_alloc.
/// - A cancel request to the awaiting task ends the wait at once with `cancelled`. It is not
///   forwarded: the tasks go on.
/// - `handles` is any range of handles. They are copied, unless their container is moved in. What
///   the tasks in `done` did happens before wait returns.
/// - Costs its result, one block of some 60 bytes a handle, and the copies of the handles; an entry
///   and a removal in each task that has not ended. Nothing stays registered there.
///
/// In asyncio: `await asyncio.wait(...)`, whose two sets have no order.
template <detail::handle_range Handles, class Rep, class Period>
[[nodiscard]] auto wait(Handles&& handles, until when, std::chrono::duration<Rep, Period> limit) {
  return detail::wait_awaiter<std::ranges::range_value_t<Handles>>(
      detail::collect(std::forward<Handles>(handles)), when, detail::saturated(limit));
}
template <detail::handle_range Handles>
[[nodiscard]] auto wait(Handles&& handles, until when = until::all_completed) {
  return magpie::wait(std::forward<Handles>(handles), when, no_limit);
}

}  // namespace magpie
