#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/detail/completion_watch.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/task_handle.hpp>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

namespace magpie {

/// When a wait() is over.
enum class until : unsigned char {
  first_completed,  // one has ended, in whatever way
  first_exception,  // one has failed, which to be cancelled is not, or all have ended
  all_completed,
};

/// What wait() found: each handle in one of the two.
template <class Handle>
struct wait_result {
  std::vector<Handle> done;     // in order of completion
  std::vector<Handle> pending;  // in the order in which they were given
};

namespace detail {

template <class Handle>
class wait_awaiter {
 public:
  wait_awaiter(std::vector<Handle>&& handles, until when, duration limit)
      : handles_(std::move(handles)),
        wait_(watch_, requests_to_wait::end_it, "the end of several tasks"),
        limit_(limit),
        until_(when) {}
  wait_awaiter(const wait_awaiter&) = delete;
  wait_awaiter& operator=(const wait_awaiter&) = delete;

  [[nodiscard]] bool await_ready() {
    if (handles_.empty()) throw_invalid_state("at least one task to wait for");
    watch_ =
        completion_watch(handles_.size(), until_ == until::first_exception ? deciding_end::failure
                                                                           : deciding_end::none);
    std::erase_if(handles_,
                  [this](const Handle& each) { return !watch_.watch(handle_access::state(each)); });
    return wait_.begin(until_ == until::first_completed ? 1 : watch_.size());
  }

  [[nodiscard]] bool await_suspend(std::coroutine_handle<> suspended) {
    // Without any time others get their turn all the same: a timer for now.
    return wait_.suspend_until(suspended,
                               limit_ == duration::zero() ? now() : deadline_for(limit_));
  }

  wait_result<Handle> await_resume() {
    wait_.resume_after_wait();
    wait_result<Handle> found;
    found.done.reserve(watch_.arrived());
    while (found.done.size() < found.done.capacity()) {
      const std::optional<std::size_t> came = watch_.next();
      if (!came) break;
      found.done.push_back(std::move(handles_[*came]));
    }
    // Before anybody can drop the handles of what is still watched.
    watch_ = completion_watch();
    std::erase_if(handles_, [](const Handle& each) { return !each; });
    found.pending = std::move(handles_);
    return found;
  }

 private:
  std::vector<Handle> handles_;
  completion_watch watch_;
  completion_wait wait_;
  const duration limit_;
  const until until_;
};

}  // namespace detail

/// Waits until enough of the tasks have ended, but no longer than `limit`; gives those that have
/// ended and those that have not.
///
/// Takes any range of handles: copies them, but from a container that is given away. They are
/// looked at when it is awaited, and those that have ended by then count. A handle given twice
/// counts once. It cancels no task, throws nothing that a task threw, and counts as observing no
/// failure; when the time is over it just returns. Cancelling the awaiting task ends the wait at
/// once with `cancelled`, and the tasks go on. A limit of zero or less lets others go first once.
///
/// Throws invalid_state for no handles at all, for the awaiting task's own, and outside of a task,
/// and std::bad_alloc. Allocates its result, one block of some 60 bytes a handle, and the copies of
/// the handles; costs an entry and a removal in each task that has not ended, and leaves nothing
/// there. What the tasks in `done` did happens before it returns.
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
