#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <magpie/checkpoint.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/gather.hpp>
#include <magpie/outcome.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

// The parts of what limits how many tasks of a range run at once, or start in a time.

namespace magpie::detail {

/// Results in order, filled in any order. Each has its place, which never moves.
template <class T>
class ordered_results {
 public:
  using element = typename stored_value<T>::type;
  using place = result_slot<element>*;

  [[nodiscard]] place add() { return &places_.emplace_back(); }

  [[nodiscard]] std::vector<element> take() {
    std::vector<element> results;
    results.reserve(places_.size());
    for (auto& each : places_) results.push_back(std::move(each.get()));
    return results;
  }

 private:
  std::deque<result_slot<element>> places_;
};

template <>
class ordered_results<void> {
 public:
  struct place {};

  [[nodiscard]] static place add() noexcept { return {}; }
  static void take() noexcept {}
};

template <class T>
using results_in_order = decltype(std::declval<ordered_results<T>&>().take());

/// A source of tasks: a range that holds them, or makes each when it is taken.
template <std::ranges::view Tasks>
class task_source {
 public:
  using item = std::ranges::range_value_t<Tasks>;
  using result = typename item::value_type;

  explicit task_source(Tasks tasks) : tasks_(std::move(tasks)), at_(std::ranges::begin(tasks_)) {}

  [[nodiscard]] bool is_at_end() { return at_ == std::ranges::end(tasks_); }
  [[nodiscard]] item take() {
    item taken = std::ranges::iter_move(at_);
    ++at_;
    return taken;
  }
  [[nodiscard]] static item begin(item& taken) noexcept { return std::move(taken); }

 private:
  Tasks tasks_;
  std::ranges::iterator_t<Tasks> at_;
};

/// A source of tasks: a function makes one of each item of a range, or another awaitable.
template <std::ranges::view Items, class Function>
class mapped_source {
  using reference = std::ranges::range_reference_t<Items>;

  // Whether an item stays where it is when the range moves on.
  static constexpr bool stays =
      std::is_lvalue_reference_v<reference> && std::ranges::forward_range<Items>;

 public:
  using item =
      std::conditional_t<stays, std::add_pointer_t<reference>, std::ranges::range_value_t<Items>>;
  using argument = std::conditional_t<stays, reference, std::ranges::range_value_t<Items>&>;
  using result = awaited_result<std::invoke_result_t<Function&, argument>>;

  mapped_source(Items items, Function function)
      : items_(std::move(items)), function_(std::move(function)), at_(std::ranges::begin(items_)) {}

  [[nodiscard]] bool is_at_end() { return at_ == std::ranges::end(items_); }
  [[nodiscard]] item take() {
    if constexpr (stays) {
      const item taken = std::addressof(*at_);
      ++at_;
      return taken;
    } else {
      item taken(*at_);
      ++at_;
      return taken;
    }
  }
  [[nodiscard]] task<result> begin(item& taken) {
    if constexpr (stays) {
      return as_task(std::invoke(function_, *taken));
    } else {
      return as_task(std::invoke(function_, taken));
    }
  }

 private:
  Items items_;
  Function function_;
  std::ranges::iterator_t<Items> at_;
};

/// Lets several *runners*, children of one gather, take tasks from one source, in turns: the range
/// may be walked by a user's code, so a runner waits for its turn without blocking its worker.
/// Tasks run outside of the turn.
template <class Source>
class limited_run {
 public:
  using result = typename Source::result;
  using place = typename ordered_results<result>::place;

  struct taken {
    typename Source::item item;
    place where;
  };

  template <class... Arguments>
  explicit limited_run(Arguments&&... arguments) : source_(std::forward<Arguments>(arguments)...) {}
  limited_run(const limited_run&) = delete;
  limited_run& operator=(const limited_run&) = delete;

  [[nodiscard]] semaphore::acquisition turn() noexcept { return turn_.acquire(); }

  // Called by the holder of the turn.

  /// Takes the next task. Returns nothing at the end of the range, when a task has failed, and when
  /// a cancel request has come since note_requests(), even if a task has swallowed it.
  [[nodiscard]] std::optional<taken> next() {
    if (is_over() || last_request() > last_before_) return std::nullopt;
    const place where = results_.add();
    return std::optional<taken>(std::in_place, taken{source_.take(), where});
  }
  /// Whether no task starts any more.
  [[nodiscard]] bool is_over() {
    return is_stopped_.load(std::memory_order_relaxed) || source_.is_at_end();
  }

  // Called by any runner.

  /// source_.begin() touches nothing that next() changes.
  [[nodiscard]] task<result> begin(taken& chosen) { return source_.begin(chosen.item); }

  /// From now on no task starts.
  void stop() noexcept { is_stopped_.store(true, std::memory_order_relaxed); }

  // Called when no runner runs, as is_over() may be, too.

  /// Earlier requests do not stop the runners that start now.
  void note_requests() noexcept { last_before_ = last_request(); }
  [[nodiscard]] results_in_order<result> take_results() { return results_.take(); }

 private:
  /// Returns the number of the last request to the calling task, or to a scope around the caller.
  [[nodiscard]] static std::uint64_t last_request() noexcept {
    return this_scope(worker::here()).due();
  }

  // Its holder alone uses the source and the results.
  semaphore turn_{1};
  Source source_;
  ordered_results<result> results_;
  // false -> true once, by a runner whose task has failed. It carries nothing.
  std::atomic<bool> is_stopped_{false};
  // Written while no runner runs.
  std::uint64_t last_before_ = 0;
};

/// Gathers `count` runners that `make_runner` makes. They may stop early because of a request that
/// is not delivered to the caller: it was taken back, or the caller cleans up after an earlier one.
/// New runners then take what is left.
template <class Run, class MakeRunner>
[[nodiscard]] task<> gather_runners(Run& run, std::size_t count, MakeRunner make_runner) {
  do {
    run.note_requests();
    std::vector<task<>> runners;
    runners.reserve(count);
    while (runners.size() < count) runners.push_back(make_runner());
    co_await gather(std::move(runners));
  } while (!run.is_over());
}

/// A runner: takes one task after the other and awaits it.
template <class Run>
[[nodiscard]] task<> run_one_by_one(Run& run) {
  try {
    for (;;) {
      std::optional<typename Run::taken> chosen;
      {
        const permit turn = co_await run.turn();
        chosen = run.next();
      }
      if (!chosen) co_return;
      if constexpr (std::is_void_v<typename Run::result>) {
        co_await run.begin(*chosen);
      } else {
        decltype(auto) result = co_await run.begin(*chosen);
        chosen->where->fill(std::forward<decltype(result)>(result));
      }
      co_await checkpoint();
    }
  } catch (...) {
    run.stop();
    throw;
  }
}

template <class Range>
[[nodiscard]] std::size_t at_most(std::size_t limit, Range& range) {
  if (limit == 0) throw_invalid_state("a limit of at least one task at once");
  if constexpr (std::ranges::sized_range<Range>) {
    const auto size = static_cast<std::size_t>(std::ranges::size(range));
    return size < limit ? size : limit;
  } else {
    return limit;
  }
}

template <class Source, class Range, class... Arguments>
[[nodiscard]] task<results_in_order<typename Source::result>> run_limited(std::size_t limit,
                                                                          Range range,
                                                                          Arguments... arguments) {
  const std::size_t runners = at_most(limit, range);
  limited_run<Source> run(std::move(range), std::move(arguments)...);
  const auto make_runner = [&run] { return run_one_by_one(run); };
  co_await gather_runners(run, runners, make_runner);
  co_return run.take_results();
}

}  // namespace magpie::detail
