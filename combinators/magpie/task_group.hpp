#pragma once

#include <exception>
#include <functional>
#include <magpie/detail/abort_scope.hpp>
#include <magpie/detail/as_task.hpp>
#include <magpie/detail/ask_again.hpp>
#include <magpie/detail/child_tasks.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/errors.hpp>
#include <magpie/exception_group.hpp>
#include <magpie/task.hpp>
#include <magpie/task_handle.hpp>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace magpie {

namespace detail {
class ending_group;
}

/// Tasks that end together. With with_task_group(), which ends the group whatever happens, it is
/// the inside view of a running group. Without, it is an object, to be joined before it is
/// destroyed:
///
///     magpie::task_group fetches;
///     for (const auto& url : urls) fetches.spawn(fetch(url));
///     co_await fetches.join();
///
/// Any thread may use it that knows that the group was not left or joined yet: the body and what it
/// awaits, the children, and whatever one of these waits for.
class task_group {
 public:
  /// An empty group on the runtime of the calling task. Throws invalid_state outside of a task.
  task_group() = default;
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  /// A group that has had children must have been joined. Otherwise the program is aborted, with
  /// the names of those that run: they may use what goes with the group.
  ~task_group() { children_.check_joined(); }

  /// Starts `body` as a child of the group: a task of its own, on the group's runtime. The group
  /// waits for its end. The child inherits the task-locals of the calling task.
  ///
  /// Returns a handle. When the group is left, the child is done. If the child fails, its failure
  /// is the group's, and counts as observed.
  ///
  /// Throws invalid_state for an empty task, and when the group has failed, was cancelled or was
  /// left; std::bad_alloc. `body` is then destroyed without having started. A child or a body that
  /// fails only because this call was refused for that reason adds no error to the group.
  template <class T>
  task_handle<T> spawn(task<T> body, spawn_options options = {}) {
    if (!body) {
      detail::throw_invalid_state(
          "a task to spawn that has not been awaited, spawned or moved from");
    }
    auto& state = detail::task_state<T>::make(body);
    children_.launch(state, options);
    return detail::handle_access::adopt<task_handle<T>>(state);
  }
  /// The same for a child that awaits a timeout, a gather or whatever else a task can await.
  template <detail::other_awaitable Awaitable>
  task_handle<detail::awaited_result<Awaitable>> spawn(Awaitable awaited,
                                                       spawn_options options = {}) {
    return spawn(detail::as_task(std::move(awaited)), options);
  }

  /// Awaited, waits until all children have ended. From then on the group refuses others.
  ///
  /// The first failure of a child cancels the other children, also before the join. join() throws
  /// an exception_group of all failures, in the order of the ends, when all children have ended. A
  /// child that ends as cancelled is no failure. A cancel request to the awaiting task cancels the
  /// children; when they have ended, `cancelled` is thrown or, if there are failures, these, and
  /// then the task gets `cancelled` once more, at its next suspension.
  ///
  /// What comes between the first spawn and the join must not throw, and is not cancelled when a
  /// child fails; use with_task_group() where it may take long. Throws invalid_state when the group
  /// was joined before, and within with_task_group(). Allocates a frame.
  [[nodiscard]] task<> join();

  /// Cancels the body and all children; that is no error. Does nothing after an earlier call or a
  /// failure. Does not wait.
  void cancel() noexcept { children_.abort(); }

 private:
  friend detail::ending_group;

  detail::child_tasks children_;
};

namespace detail {

/// How a group ends for the task that joins it.
class ending_group {
 public:
  /// Throws invalid_state if another one does.
  explicit ending_group(task_group& ended) : children_(ended.children_) { children_.claim_join(); }

  [[nodiscard]] abort_scope& body_scope() noexcept { return children_.body_scope(); }

  // Called in the handler for what the body has thrown.

  void body_was_cancelled() {
    try {
      body_scope().rethrow_unless_to_blame();
    } catch (const cancelled&) {
      cancellation_ = std::current_exception();
      has_request_ = body_scope().was_asked_from_outside();
    }
    children_.abort();
  }
  void body_has_failed() noexcept {
    body_failure_ = std::current_exception();
    children_.abort();
  }

  /// Awaited, waits until all children have ended, then throws what is left of the group, if
  /// anything: errors come before a cancellation. `begun`: null for a group without a body.
  [[nodiscard]] static task<> end(task_group& group, ending_group* begun) {
    std::optional<ending_group> own;
    ending_group& self = begun != nullptr ? *begun : own.emplace(group);
    for (bool is_joined = false; !is_joined;) {
      try {
        co_await self.children_.join();
        is_joined = true;
      } catch (const cancelled&) {
        self.cancellation_ = std::current_exception();
        self.has_request_ = true;
        self.children_.abort();
      }
    }
    std::vector<std::exception_ptr> errors = self.take_errors();
    if (!errors.empty()) {
      if (self.has_request_) co_await ask_again();  // the errors hide it
      throw exception_group(std::move(errors));
    }
    if (self.cancellation_) std::rethrow_exception(self.cancellation_);
  }

 private:
  [[nodiscard]] std::vector<std::exception_ptr> take_errors() {
    std::vector<std::exception_ptr> errors = children_.take_failures();
    if (body_failure_ && !children_.is_refusal(body_failure_)) errors.push_back(body_failure_);
    return errors;
  }

  child_tasks& children_;
  std::exception_ptr body_failure_;
  std::exception_ptr cancellation_;  // `cancelled`, unless the group's own abort caused it
  bool has_request_ = false;         // cancellation_ is for a request to the task
};

template <class Body>
using group_result = awaited_result<std::invoke_result_t<Body&, task_group&>>;

/// The place for what the body of a group returns, if it returns.
template <class T>
class group_value {
 public:
  template <class U>
  void fill(U&& value) {
    slot_.fill(std::forward<U>(value));
    is_filled_ = true;
  }
  [[nodiscard]] auto& get() {
    if (!is_filled_) throw cancelled("the task group was cancelled, and its body gave nothing");
    return slot_.get();
  }

 private:
  result_slot<typename stored_result<T>::type> slot_;
  bool is_filled_ = false;
};

}  // namespace detail

/// Runs `body(group)`, which returns a lazy task or another awaitable, and waits for it and for all
/// tasks that are spawned into the group.
///
///     const auto body = [&](magpie::task_group& group) -> magpie::task<> {
///       for (const auto& url : urls) group.spawn(fetch(url));
///       co_return;
///     };
///     co_await magpie::with_task_group(body);
///
/// - The body starts when it is awaited, and runs in the awaiting task. A child starts when it is
///   spawned, by the body, by another child, or by any thread that knows the group to be there.
/// - Goes on when the body and all children have ended, and gives what the body returns.
/// - The first failure, of a child or of the body, cancels the body and the other children. When
///   all have ended, their clean-up included, an exception_group is thrown. It has all failures in
///   the order of the ends, the body's own last, and is a group even for one. A child that ends as
///   cancelled is no failure. What the body returned is dropped then; a child's result stays with
///   its handles.
/// - A cancel request to the awaiting task cancels the body and the children. When all have ended,
///   `cancelled` is thrown. If there are failures, these are thrown instead, and the task gets
///   `cancelled` once more, at its next suspension.
/// - A body that ends by `cancelled` without a request cancels the children. When they have ended,
///   that `cancelled` is thrown.
/// - The awaiting task does not count as cancelled when the group cancels its body: its
///   cancelling() stays. After task_group::cancel() nothing is thrown, unless the body was to
///   return a value and did not: then `cancelled`.
/// - Costs two frames of its own and the body's. Each child costs a spawn and 64 bytes, which lie
///   in a block with those of up to 14 others and are freed with the last of them. Throws
///   std::bad_alloc.
///
/// In asyncio: `async with asyncio.TaskGroup()`. Here the group also gives a result, can be
/// cancelled, and takes children from any thread.
template <class Body>
[[nodiscard]] task<detail::group_result<Body>> with_task_group(Body body) {
  using result = detail::group_result<Body>;
  task_group group;
  detail::ending_group ending(group);
  // Made now: the end of the children must not depend on memory.
  task<> end = detail::ending_group::end(group, &ending);
  detail::group_value<result> value;
  try {
    detail::body_in_scope<result> running(ending.body_scope(),
                                          detail::as_task(std::invoke(body, group)));
    if constexpr (std::is_void_v<result>) {
      co_await running;
    } else if constexpr (std::is_reference_v<result>) {
      result given = co_await running;
      value.fill(std::addressof(given));
    } else {
      value.fill(co_await running);
    }
  } catch (const cancelled&) {
    ending.body_was_cancelled();
  } catch (...) {
    ending.body_has_failed();
  }
  co_await std::move(end);
  if constexpr (std::is_reference_v<result>) {
    co_return *value.get();
  } else if constexpr (!std::is_void_v<result>) {
    co_return std::move(value.get());
  }
}

inline task<> task_group::join() { return detail::ending_group::end(*this, nullptr); }

}  // namespace magpie
