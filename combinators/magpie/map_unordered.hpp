#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <magpie/detail/limited_run.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/thread_mutex.hpp>
#include <magpie/outcome.hpp>
#include <magpie/runtime.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace magpie {

template <class Source>
class unordered_results;

namespace detail {

/// Shared by a stream of results and the tasks that fill it. Both keep it alive.
template <class Source>
class unordered_run {
 public:
  using result = typename Source::result;
  using element = typename stored_value<result>::type;
  using item = typename Source::item;

  template <class... Arguments>
  explicit unordered_run(std::size_t runners, Arguments&&... arguments)
      : source_(std::forward<Arguments>(arguments)...), room_(runners), running_(runners) {}

  /// The body of a child: takes items and awaits their tasks, one after the other. Waits while
  /// there is no room for a result.
  [[nodiscard]] static task<> run_one_by_one(std::shared_ptr<unordered_run> self) {
    try {
      for (;;) {
        permit room = co_await self->room_.acquire();
        std::optional<item> chosen = self->next();
        if (!chosen) break;
        std::exception_ptr failure;
        try {
          if constexpr (std::is_void_v<result>) {
            co_await self->begin(*chosen);
            self->add(element());
          } else {
            decltype(auto) given = co_await self->begin(*chosen);
            self->add(std::forward<decltype(given)>(given));
          }
        } catch (...) {
          failure = std::current_exception();
        }
        if (failure) self->add_failure(std::move(failure));
        room.detach();  // take() releases it when the result has been taken
        if (current_task().cancelling() != 0) break;
      }
    } catch (...) {
      self->give_up(std::current_exception());
    }
    self->note_end();
  }

  void stop() noexcept {
    const lock_guard guard(lock_);
    is_stopped_ = true;
  }

  /// Has a permit for each result, and one for the end. end() has one when all children have ended.
  [[nodiscard]] semaphore& news() noexcept { return news_; }
  [[nodiscard]] semaphore& end() noexcept { return end_; }

  /// Called with a permit of news(). False: the permit is that of the end.
  [[nodiscard]] bool has_result() {
    const lock_guard guard(lock_);
    return !ready_.empty();
  }

  /// Called with a permit of news(). Takes the oldest result, or rethrows its task's failure. At
  /// the end, returns nothing, or rethrows what ended the stream early.
  [[nodiscard]] std::optional<element> take() {
    std::optional<element> taken;
    std::exception_ptr failure;
    {
      const lock_guard guard(lock_);
      if (ready_.empty()) {
        failure = std::exchange(broken_, nullptr);
      } else {
        entry& first = ready_.front();
        failure = std::move(first.failure);
        if (!failure) taken.emplace(std::move(first.value.get()));
        ready_.pop_front();
        room_.release();
      }
    }
    if (failure) std::rethrow_exception(std::move(failure));
    return taken;
  }

 private:
  struct entry {
    result_slot<element> value;
    std::exception_ptr failure;
  };

  [[nodiscard]] std::optional<item> next() {
    const lock_guard guard(lock_);
    if (is_stopped_ || source_.is_at_end()) return std::nullopt;
    return std::optional<item>(source_.take());
  }

  /// source_.begin() touches nothing that next() changes.
  [[nodiscard]] task<result> begin(item& chosen) MAGPIE_UNCHECKED_LOCKING {
    return source_.begin(chosen);
  }

  template <class Value>
  void add(Value&& value) {
    {
      const lock_guard guard(lock_);
      entry& added = ready_.emplace_back();
      try {
        added.value.fill(std::forward<Value>(value));
      } catch (...) {
        ready_.pop_back();
        throw;
      }
    }
    news_.release();
  }
  void add_failure(std::exception_ptr failure) {
    {
      const lock_guard guard(lock_);
      ready_.emplace_back().failure = std::move(failure);
    }
    news_.release();
  }

  void give_up(std::exception_ptr failure) noexcept {
    const lock_guard guard(lock_);
    if (!is_stopped_) broken_ = std::move(failure);
    is_stopped_ = true;
  }

  void note_end() {
    {
      const lock_guard guard(lock_);
      if (--running_ != 0) return;
    }
    news_.release();
    end_.release();
  }

  thread_mutex lock_;
  Source source_ MAGPIE_GUARDED_BY(lock_);
  std::deque<entry> ready_ MAGPIE_GUARDED_BY(lock_);
  std::exception_ptr broken_ MAGPIE_GUARDED_BY(lock_);
  bool is_stopped_ MAGPIE_GUARDED_BY(lock_) = false;
  semaphore room_;
  semaphore news_{0};
  semaphore end_{0};
  std::size_t running_ MAGPIE_GUARDED_BY(lock_);  // runners
};

}  // namespace detail

/// The results of a map_unordered(), in the order in which they come. Must not be destroyed while a
/// task awaits next() or close(). What its destruction does to the children: see map_unordered().
template <class Source>
class unordered_results {
  using run = detail::unordered_run<Source>;

 public:
  using element = typename run::element;

  unordered_results(std::size_t runners, std::shared_ptr<run> shared)
      : runners_(runners), run_(std::move(shared)) {}
  unordered_results(unordered_results&&) noexcept = default;
  unordered_results& operator=(unordered_results&&) = delete;
  ~unordered_results() {
    if (run_ != nullptr) cancel_children();
  }

  /// Waits for the next result. The first call spawns the children.
  ///
  /// Awaited, gives a std::optional, empty when there are no more results. Rethrows the failure of
  /// a task in its place; the next call goes on after it. Throws std::bad_alloc when the children
  /// cannot be spawned. A cancel request to the awaiting task ends the call at once with
  /// `cancelled`, and no result is lost. One call at a time.
  [[nodiscard]] task<std::optional<element>> next() {
    if (!is_started_) start();
    if (is_finished_) co_return std::nullopt;
    {
      permit told = co_await run_->news().acquire();
      told.detach();
    }
    is_finished_ = !run_->has_result();
    co_return run_->take();
  }

  /// Cancels the children and waits for their end. They take no more items, and there are no more
  /// results. A cancel request to the awaiting task does not end the wait: `cancelled` is thrown
  /// when the children have ended.
  [[nodiscard]] task<> close() {
    cancel_children();
    std::exception_ptr request;
    while (is_started_ && runners_ != 0) {
      try {
        const permit ended = co_await run_->end().acquire();
        break;
      } catch (const cancelled&) {
        request = std::current_exception();
      }
    }
    is_started_ = is_finished_ = true;
    if (request) std::rethrow_exception(std::move(request));
  }

 private:
  void start() {
    std::vector<task<>> runners;
    runners.reserve(runners_);
    while (runners.size() < runners_) runners.push_back(run::run_one_by_one(run_));
    children_ = spawn_many(std::move(runners), {.name = "map_unordered"});
    is_started_ = true;
    is_finished_ = runners_ == 0;
  }

  void cancel_children() noexcept {
    run_->stop();
    for (auto& each : children_) each.cancel();
    children_.clear();
  }

  std::size_t runners_;
  std::shared_ptr<run> run_;
  std::vector<task_handle<>> children_;
  bool is_started_ = false;
  bool is_finished_ = false;
};

/// Runs the tasks that `f(item)` returns, never more than `n` at once, and gives their results as
/// they come.
///
///     auto pages = magpie::map_unordered(urls, 10, fetch);
///     while (auto page = co_await pages.next()) store(*page);
///
/// - Returns a stream at once. The first next() spawns min(n, size) children, tasks of their own,
///   which take one item after the other. A result that was not taken yet keeps its child's place.
///   So there are never more than n tasks and results together, and nothing piles up.
/// - `co_await next()` gives the next result, in no order; nothing when there are no more. A result
///   is a value, a std::reference_wrapper, or std::monostate for tasks of void.
/// - A task's failure is thrown by the next() in whose place it comes, and by no other; the stream
///   goes on. What the range throws ends the stream: next() throws it when the other results have
///   been taken, and gives nothing from then on. Throws invalid_state for a limit of 0.
/// - A cancel request to the consumer ends its next() alone. If the consumer then unwinds, it
///   destroys the stream.
/// - Destroying the stream before its end cancels the children and drops the results. A destructor
///   cannot wait for the children. They belong to the runtime, and keep `f` and the range alive
///   until they have ended. What these refer to (a range that was not moved in, say) has to stay as
///   long: `co_await pages.close()` waits for that. `f` may be called by several workers at once.
/// - Costs min(n, size) tasks, a frame for each next(), and the children's frames; a lock and two
///   permits for each item.
///
/// In asyncio: a loop over `asyncio.as_completed` of coroutines that begin with a semaphore. There
/// all of them exist from the beginning.
template <std::ranges::viewable_range Items, class Function>
[[nodiscard]] auto map_unordered(Items&& items, std::size_t n, Function f) {
  using view = std::views::all_t<Items>;
  using source = detail::mapped_source<view, Function>;
  view range = std::views::all(std::forward<Items>(items));
  const std::size_t runners = detail::at_most(n, range);
  return unordered_results<source>(runners, std::make_shared<detail::unordered_run<source>>(
                                                runners, std::move(range), std::move(f)));
}

}  // namespace magpie
