#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/detail/completion_watch.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/errors.hpp>
#include <magpie/task_handle.hpp>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

namespace magpie {

/// Gives the handles of tasks in the order in which these end: see as_completed(). May be moved and
/// destroyed at any time when nobody awaits next(): the tasks that are left go on, and know nothing
/// of it.
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

  /// Awaited, gives a std::optional of the handle of the task that ended next, which is done then;
  /// nothing when all have been given. When the time is over it does not wait: it gives what has
  /// ended, or throws timeout_error, and may be asked again. It throws `cancelled` when the
  /// awaiting task is cancelled, and then has taken nothing. One task at a time may await it:
  /// another gets invalid_state, as does who is no task.
  [[nodiscard]] auto next() noexcept { return next_awaiter(*this); }

  /// How many have not been given yet.
  [[nodiscard]] std::size_t remaining() const noexcept { return handles_.size() - given_; }

 private:
  class next_awaiter {
   public:
    explicit next_awaiter(completion_stream& stream) noexcept
        : stream_(stream),
          wait_(stream.watch_, detail::requests_to_wait::end_it, "the next of several tasks") {}
    next_awaiter(const next_awaiter&) = delete;
    next_awaiter& operator=(const next_awaiter&) = delete;

    [[nodiscard]] bool await_ready() {
      return wait_.begin(stream_.given_ + 1) || stream_.remaining() == 0 ||
             (stream_.deadline_ != time_point::max() && now() >= stream_.deadline_);
    }

    [[nodiscard]] bool await_suspend(std::coroutine_handle<> suspended) {
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
  };

  std::vector<Handle> handles_;
  detail::completion_watch watch_;  // the number of a task is that of its handle
  time_point deadline_;
  std::size_t given_ = 0;
};

/// The tasks in the order in which they end:
///
///     auto finished = magpie::as_completed(std::move(handles), 3s);
///     while (auto next = co_await finished.next()) use(next->result());
///
/// Takes any range of handles: copies them, but from a container that is given away. It gives these
/// very handles, each once, though it were given twice; first, in their order, those that have
/// ended when it is called. It cancels no task, throws nothing that a task threw, and counts as
/// observing no failure. One may stop asking and begin again; meanwhile no timer runs, and what
/// ends is kept. The limit counts from this call. When it is over, next() throws timeout_error
/// after those that have ended have been given; the rest go on. See completion_stream for who may
/// ask, and for cancelling.
///
/// Throws invalid_state for the calling task's own handle, and std::bad_alloc. Allocates one block
/// of some 60 bytes a handle, and the copies of the handles; each handle costs the same, however
/// many there are. What a task did happens before its handle is given.
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

}  // namespace magpie
