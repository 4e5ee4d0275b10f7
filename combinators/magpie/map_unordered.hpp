#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <magpie/detail/limited_run.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/outcome.hpp>
#include <magpie/runtime.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace magpie {

template <class Source>
class unordered_results;

namespace detail {

/// What a stream of results and the tasks that fill it have in common, and keep alive.
template <class Source>
class unordered_run {
 public:
  using result = typename Source::result;
  using element = typename stored_value<result>::type;
  using item = typename Source::item;

  template <class... Arguments>
  explicit unordered_run(std::size_t runners, Arguments&&... arguments)
      : source_(std::forward<Arguments>(arguments)...), room_(runners), running_(runners) {}

  /// Takes items and runs their tasks, one after the other, as long as there is room for results.
  [[nodiscard]] static task<> run_one_by_one(std::shared_ptr<unordered_run> self) {
    try {
      for (;;) {
        permit room = co_await self->room_.acquire();
        std::optional<item> chosen = self->next();
        if (!chosen) break;
        std::exception_ptr failure;
        try {
          if constexpr (std::is_void_v<result>) {
            co_await self->source_.begin(*chosen);
            self->add(element());
          } else {
            decltype(auto) given = co_await self->source_.begin(*chosen);
            self->add(std::forward<decltype(given)>(given));
          }
        } catch (...) {
          failure = std::current_exception();
        }
        if (failure) self->add_failure(std::move(failure));
        room.detach();  // until the result has been taken
        if (current_task().cancelling() != 0) break;
      }
    } catch (...) {
      self->give_up(std::current_exception());
    }
    self->note_end();
  }

  void stop() noexcept {
    const std::lock_guard guard(lock_);
    is_stopped_ = true;
  }

  /// A permit for each result, and one for the end.
  [[nodiscard]] semaphore& news() noexcept { return news_; }
  [[nodiscard]] semaphore& end() noexcept { return end_; }

  /// With a permit of news(): nothing at the end.
  [[nodiscard]] std::optional<element> take() {
    std::optional<element> taken;
    std::exception_ptr failure;
    {
      const std::lock_guard guard(lock_);
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
    const std::lock_guard guard(lock_);
    if (is_stopped_ || source_.is_at_end()) return std::nullopt;
    return std::optional<item>(source_.take());
  }

  template <class Value>
  void add(Value&& value) {
    {
      const std::lock_guard guard(lock_);
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
      const std::lock_guard guard(lock_);
      ready_.emplace_back().failure = std::move(failure);
    }
    news_.release();
  }

  void give_up(std::exception_ptr failure) noexcept {
    const std::lock_guard guard(lock_);
    if (!is_stopped_) broken_ = std::move(failure);
    is_stopped_ = true;
  }

  void note_end() {
    {
      const std::lock_guard guard(lock_);
      if (--running_ != 0) return;
    }
    news_.release();
    end_.release();
  }

  std::mutex lock_;
  // Guarded by the lock.
  Source source_;
  std::deque<entry> ready_;
  std::exception_ptr broken_;
  bool is_stopped_ = false;
  semaphore room_;
  semaphore news_{0};
  semaphore end_{0};
  std::size_t running_;  // runners
};

}  // namespace detail

/// The results of a map_unordered(), as they come.
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

  /// The next result, or nothing when there are no more; rethrows the failure of a task in its
  /// place, and can be called again after that. One call at a time. A cancelled one ends at once
  /// and loses no result. Throws std::bad_alloc when the children cannot be spawned.
  [[nodiscard]] task<std::optional<element>> next() {
    if (!is_started_) start();
    if (is_finished_) co_return std::nullopt;
    {
      permit told = co_await run_->news().acquire();
      told.detach();
    }
    std::optional<element> result = run_->take();
    is_finished_ = !result;
    co_return result;
  }

  /// Cancels the children, which do not start others, and waits for their end; also when the caller
  /// is cancelled meanwhile, which is thrown afterwards. There are no more results then.
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

/// Runs the tasks that `f(item)` gives, never more than `n` at once, and gives their results as
/// they come, in no order: `while (auto result = co_await results.next())`, where it holds a value,
/// a std::reference_wrapper, or std::monostate for tasks of void.
///
/// - The first next() spawns min(n, size) children, tasks of their own, that take one item after
///   the other. A result that nobody has taken yet keeps its child's place: there are never more
///   than n tasks and results together, so nothing piles up.
/// - A task that fails fails the next() in whose place it comes, and no others. What the range
///   throws ends the stream: next() throws it last.
/// - Destroying the stream before its end cancels the children. They are not waited for, which a
///   destructor cannot, but belong to the runtime, and keep `f` and the range, by then their own,
///   until they have ended. What these refer to (a range that was not moved in, say) has to stay as
///   long: `co_await results.close()` waits for that. A cancel of the consumer that leaves the
///   stream goes the same way.
/// - Throws invalid_state for a limit of 0. `f` may be called by several workers at once.
/// - Costs min(n, size) tasks, a frame for each next(), and the children's; a lock and two permits
///   for each item.
///
/// In asyncio: a loop over `asyncio.as_completed` of coroutines that begin with a semaphore, all of
/// which exist from the beginning.
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
