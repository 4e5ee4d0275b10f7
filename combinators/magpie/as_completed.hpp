#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/detail/completion_watch.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/task_handle.hpp>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

namespace magpie {

/// Gives the handles of several tasks in the order in which the tasks end: see as_completed().
///
/// May be moved or destroyed whenever no task awaits next(). The tasks that are left go on, and
/// nothing stays registered in them.
template <class Handle>
class completion_stream {
 public:
  using value_type = Handle;

  completion_stream(completion_stream&&) noexcept = default;
  completion_stream(std::vector<Handle> handles, time_point deadline)
      : handles_(std::move(handles)),
        watch_(handles_.size(), detail::deciding_end::none),
        deadline_(deadline) {
    std::erase_if(handles_, [this](const Handle& each) {
      return !watch_.watch(detail::handle_access::state(each));
    });
  }

  /// Waits until one more of the tasks has ended.
  ///
  /// Awaited, gives a std::optional. It holds the handle of the task that ended next, which is
  /// done; it is empty when all handles have been given. After the limit next() does not wait: it
  /// gives a task that has ended, or throws timeout_error, and may be called again.
  ///
  /// A cancel request to the awaiting task ends the wait with `cancelled`, and no handle is taken.
  /// Throws invalid_state outside of a task, and while another task awaits next().
  [[nodiscard]] auto next() noexcept { return next_awaiter(*this); }

  /// Returns how many handles have not been given yet.
  [[nodiscard]] std::size_t remaining() const noexcept { return handles_.size() - given_; }

 private:
  class next_awaiter {
   public:
    explicit next_awaiter(completion_stream& stream) noexcept
        : stream_(stream), wait_(stream.watch_, detail::requests_to_wait::end_it, "watched task") {}
    next_awaiter(next_awaiter&& other) noexcept
        : stream_(other.stream_),
          wait_(stream_.watch_, detail::requests_to_wait::end_it, "watched task"),
          once_(std::move(other.once_)) {}

    [[nodiscard]] bool await_ready() {
      once_.begin();
      return wait_.begin(stream_.given_ + 1) || stream_.remaining() == 0 ||
             (stream_.deadline_ != time_point::max() && now() >= stream_.deadline_);
    }

    [[nodiscard]] bool await_suspend(detail::task_coroutine suspended) {
      return wait_.suspend_until(suspended, stream_.deadline_);
    }

    std::optional<Handle> await_resume() {
      wait_.resume_after_wait();
      if (const std::optional<std::size_t> came = stream_.watch_.next()) {
        ++stream_.given_;
        return std::move(stream_.handles_[*came]);
      }
      if (stream_.remaining() != 0) throw timeout_error();
      return std::nullopt;
    }

   private:
    completion_stream& stream_;
    detail::completion_wait wait_;
    detail::single_await once_;
  };

  std::vector<Handle> handles_;
  detail::completion_watch watch_;  // a task's number is the index of its handle
  time_point deadline_;
  std::size_t given_ = 0;
};

/// Gives the handles of spawned tasks in the order in which the tasks end.
///
///     auto finished = magpie::as_completed(std::move(handles), 3s);
///     while (auto next = co_await finished.next()) use(next->result());
///
/// - Starts no task. Returns a completion_stream at once; its next() is what a task awaits. Tasks
///   that have ended by this call come first, in the order of the range.
/// - Gives the very handles of the range, each once, even if it occurs twice.
/// - Throws nothing that a task threw, and counts as observing no failure: the handle has the
///   outcome. The limit runs from this call. After it, next() first gives the tasks that have
///   ended, then throws timeout_error. The other tasks go on. Throws invalid_state for the calling
///   task's own handle, and std::bad_alloc.
/// - A cancel request to the awaiting task ends next(). It is not forwarded: the tasks go on.
/// - A consumer may stop and go on later. Between two calls of next() no timer runs, and tasks that
///   end are kept in order.
/// - `handles` is any range of handles. They are copied, unless their container is moved in. What a
///   task did happens before its handle is given.
/// - Costs one block of some 60 bytes a handle, and the copies of the handles. What one handle
///   costs does not depend on how many there are.
///
/// In asyncio: `async for task in asyncio.as_completed(...)`.
template <detail::handle_range Handles, class Rep, class Period>
[[nodiscard]] auto as_completed(Handles&& handles, std::chrono::duration<Rep, Period> limit) {
  return completion_stream<std::ranges::range_value_t<Handles>>(
      detail::collect(std::forward<Handles>(handles)), detail::deadline_for(limit));
}
template <detail::handle_range Handles>
[[nodiscard]] auto as_completed(Handles&& handles) {
  return magpie::as_completed(std::forward<Handles>(handles), no_limit);
}

/// as_completed() of lazy tasks or other awaitables, in a container that is moved in or in a view.
/// This call spawns them all, on the runtime of the calling task, and the stream gives their
/// handles. Throws what spawn_many() throws.
template <detail::startable_range Range, class Rep, class Period>
[[nodiscard]] auto as_completed(Range&& tasks, std::chrono::duration<Rep, Period> limit) {
  return as_completed(spawn_many(detail::collect(detail::as_tasks(std::forward<Range>(tasks)))),
                      limit);
}
template <detail::startable_range Range>
[[nodiscard]] auto as_completed(Range&& tasks) {
  return magpie::as_completed(std::forward<Range>(tasks), no_limit);
}

}  // namespace magpie
