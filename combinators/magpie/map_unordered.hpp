#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <magpie/detail/limited_run.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/thread_annotations.hpp>
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

/// Shared by a stream of results and the tasks that fill it. Both keep it alive. The lock is held
/// for a few instructions, in which no code of a user runs.
template <class Source>
class unordered_run {
 public:
  using result = typename Source::result;
  using element = typename stored_value<result>::type;
  using item = typename Source::item;

  template <class... Arguments>
  explicit unordered_run(std::size_t runners, Arguments&&... arguments)
      : source_(std::forward<Arguments>(arguments)...), room_(runners), running_(runners) {}

  /// A child's share in the run. The child holds it in its frame, so its end is noted even if the
  /// child is cancelled before it begins.
  class share {
   public:
    explicit share(std::shared_ptr<unordered_run> in) noexcept : run_(std::move(in)) {}
    share(share&&) noexcept = default;
    share& operator=(share&&) = delete;
    ~share() {
      if (run_ != nullptr) run_->note_end();
    }

    [[nodiscard]] unordered_run* operator->() const noexcept { return run_.get(); }

   private:
    std::shared_ptr<unordered_run> run_;
  };

  /// The body of a child: takes items and awaits their tasks, one after the other. Waits while
  /// there is no room for a result.
  [[nodiscard]] static task<> run_one_by_one(share self) {
    try {
      for (;;) {
        permit room = co_await self->room_.acquire();
        std::optional<item> chosen;
        {
          const permit turn = co_await self->turn_.acquire();
          if (!self->is_stopped() && !self->source_.is_at_end()) {
            chosen.emplace(self->source_.take());
          }
        }
        if (!chosen) break;
        if constexpr (std::is_void_v<result>) {
          co_await self->source_.begin(*chosen);
          self->add(element());
        } else {
          decltype(auto) given = co_await self->source_.begin(*chosen);
          self->add(std::forward<decltype(given)>(given));
        }
        room.detach();  // take() releases it when the result has been taken
        if (current_task().cancelling() != 0) break;
      }
    } catch (...) {
      self->stop(std::current_exception());
    }
  }

  /// Called once, by the spawner of the children.
  void set_children(std::vector<task_handle<>> children) noexcept {
    children_ = std::move(children);
    are_children_known_.store(true, std::memory_order_release);
    if (is_stopped()) cancel_children();
  }

  /// Cancels the children, which take no more items. The first call alone has an effect: at the end
  /// take() throws its failure, if there is one.
  void stop(std::exception_ptr failure) noexcept {
    {
      const lock_guard guard(lock_);
      if (std::exchange(is_stopped_, true)) return;
      failure_.swap(failure);
    }
    if (are_children_known_.load(std::memory_order_acquire)) cancel_children();
  }

  /// Has a permit for each result, and one for the end. end() has one when all children have ended.
  [[nodiscard]] semaphore& news() noexcept { return news_; }
  [[nodiscard]] semaphore& end() noexcept { return end_; }

  /// Called with a permit of news(). False: the permit is that of the end.
  [[nodiscard]] bool has_result() noexcept {
    const lock_guard guard(lock_);
    return !ready_.empty();
  }

  /// Called with a permit of news(). Takes the oldest result. At the end, returns nothing, or
  /// rethrows what has stopped the children.
  [[nodiscard]] std::optional<element> take() {
    results taken;
    std::exception_ptr failure;
    {
      const lock_guard guard(lock_);
      if (ready_.empty()) {
        failure.swap(failure_);
      } else {
        taken.splice(taken.end(), ready_, ready_.begin());
      }
    }
    if (failure) std::rethrow_exception(std::move(failure));
    if (taken.empty()) return std::nullopt;
    room_.release();
    return std::optional<element>(std::move(taken.front().get()));
  }

 private:
  using results = std::list<result_slot<element>>;

  [[nodiscard]] bool is_stopped() noexcept {
    const lock_guard guard(lock_);
    return is_stopped_;
  }

  void cancel_children() noexcept {
    for (const task_handle<>& each : children_) each.cancel();
  }

  template <class Value>
  void add(Value&& value) {
    results added(1);
    added.front().fill(std::forward<Value>(value));
    {
      const lock_guard guard(lock_);
      ready_.splice(ready_.end(), added);
    }
    news_.release();
  }

  void note_end() noexcept {
    {
      const lock_guard guard(lock_);
      if (--running_ != 0) return;
    }
    news_.release();
    end_.release();
  }

  Source source_;  // take() for the holder of the turn alone
  semaphore turn_{1};
  semaphore room_;
  semaphore news_{0};
  semaphore end_{0};
  // Written once, before are_children_known_ becomes true (release); read after it was seen to be
  // (acquire). A stop() that does not see it sets is_stopped_ before set_children() looks at that.
  std::vector<task_handle<>> children_;
  std::atomic<bool> are_children_known_{false};
  spin_lock lock_;
  results ready_ MAGPIE_GUARDED_BY(lock_);
  std::exception_ptr failure_ MAGPIE_GUARDED_BY(lock_);
  bool is_stopped_ MAGPIE_GUARDED_BY(lock_) = false;
  std::size_t running_ MAGPIE_GUARDED_BY(lock_);  // children
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
    if (run_ != nullptr) run_->stop(nullptr);
  }

  /// Waits for the next result. The first call spawns the children.
  ///
  /// Awaited, gives a std::optional, empty when there are no more results. When a task has failed,
  /// throws its failure after the results that came before, once the other tasks have ended. Throws
  /// std::bad_alloc when the children cannot be spawned, which ends the stream. A cancel request to
  /// the awaiting task ends the call at once with `cancelled`, and no result is lost. One call at a
  /// time.
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
    run_->stop(nullptr);
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
    // If there is no memory for the children, the stream has ended and has none.
    is_started_ = is_finished_ = true;
    const std::size_t count = std::exchange(runners_, 0);
    std::vector<task<>> runners;
    runners.reserve(count);
    while (runners.size() < count) {
      runners.push_back(run::run_one_by_one(typename run::share(run_)));
    }
    run_->set_children(spawn_many(std::move(runners), {.name = "map_unordered"}));
    runners_ = count;
    is_finished_ = count == 0;
  }

  std::size_t runners_;
  std::shared_ptr<run> run_;
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
/// - The first failure of a task, of `f` or of the range cancels the tasks that run, and starts no
///   others. next() throws it when the results that came before have been taken and all tasks have
///   ended, and gives nothing from then on. Further failures are dropped. Throws invalid_state for
///   a limit of 0.
/// - A cancel request to the consumer ends its next() alone. If the consumer then unwinds, it
///   destroys the stream.
/// - Destroying the stream before its end cancels the children and drops the results. A destructor
///   cannot wait for the children. They belong to the runtime, and keep `f` and the range alive
///   until they have ended. What these refer to (a range that was not moved in, say) has to stay as
///   long: `co_await pages.close()` waits for that. `f` may be called by several workers at once.
/// - Costs min(n, size) tasks, a frame for each next(), and the children's frames; three permits
///   and a list node for each item.
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
