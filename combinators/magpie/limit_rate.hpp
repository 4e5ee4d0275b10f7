#pragma once

#include <cstddef>
#include <magpie/detail/limited_run.hpp>
#include <magpie/rate.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/timeout.hpp>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

namespace magpie {

namespace detail {

/// Decides which runner may start a task next, and when.
class pace {
 public:
  explicit pace(const rate& allowed) : meter_(allowed) {}

  // Called by the holder of the run's turn.

  /// Waits until the next task may start. Returns at once after stop().
  [[nodiscard]] task<> wait() {
    const duration left = meter_.next() - now();
    if (left <= duration::zero()) co_return;
    try {
      co_await wait_for(wait_for_stop(), left);
    } catch (const timeout_error&) {
    }
  }
  void begin() noexcept { meter_.begin(now()); }

  void stop() { stopped_.release(); }

 private:
  [[nodiscard]] task<> wait_for_stop() { const permit stopped = co_await stopped_.acquire(); }

  semaphore stopped_{0};
  rate_meter meter_;
};

/// A runner: takes one task when the rate allows it, and awaits it.
template <class Run>
[[nodiscard]] task<> run_in_turn(Run& run, pace& limit) {
  try {
    std::optional<typename Run::taken> chosen;
    {
      const permit turn = co_await run.turn();
      if (!run.is_over()) co_await limit.wait();
      chosen = run.next();
      if (!chosen) co_return;
      limit.begin();
    }
    if constexpr (std::is_void_v<typename Run::result>) {
      co_await run.begin(*chosen);
    } else {
      decltype(auto) result = co_await run.begin(*chosen);
      chosen->where->fill(std::forward<decltype(result)>(result));
    }
  } catch (...) {
    run.stop();
    limit.stop();
    throw;
  }
}

template <class Source, class Tasks>
[[nodiscard]] task<results_in_order<typename Source::result>> run_at_rate(rate allowed,
                                                                          Tasks tasks) {
  pace limit(allowed);
  const auto count = static_cast<std::size_t>(std::ranges::size(tasks));
  limited_run<Source> run(std::move(tasks));
  const auto make_runner = [&run, &limit] { return run_in_turn(run, limit); };
  co_await gather_runners(run, count, make_runner);
  co_return run.take_results();
}

/// For a range that does not know its size: walks it first.
template <class Tasks>
[[nodiscard]] auto run_all_at_rate(rate allowed, Tasks tasks)
    -> task<results_in_order<typename std::ranges::range_value_t<Tasks>::value_type>> {
  std::vector<std::ranges::range_value_t<Tasks>> all;
  for (auto at = std::ranges::begin(tasks); at != std::ranges::end(tasks); ++at) {
    all.push_back(std::ranges::iter_move(at));
  }
  using owned = std::ranges::owning_view<decltype(all)>;
  co_return co_await run_at_rate<task_source<owned>>(allowed, owned(std::move(all)));
}

}  // namespace detail

/// Starts the tasks of a range, or whatever else can be awaited, one after the other, no more often
/// than `allowed` says.
///
///     const auto pages = co_await magpie::limit_rate(magpie::rate{10, 1s}, std::move(fetches));
///
/// It limits how many *start* in a time, as calls to a service are limited. It does not limit how
/// many *run* at a time, as connections are limited: slow tasks pile up here. For that use
/// limit_concurrency(). For both, limit the concurrency of tasks that await a shared rate_limiter.
///
/// - Nothing starts until it is awaited. Then the first child starts at once, and each other one,
///   in order, when the rate allows it.
/// - Gives a vector of the results in order (of std::reference_wrapper for tasks that return
///   references), or nothing for tasks of void.
/// - When a child fails, no others start, and those that run go on to their end. Then the failure
///   that came first is rethrown. It does not wait for the time of those that will not start.
///   Results and further failures are dropped, and tasks that have not started are destroyed.
///   Throws invalid_state when the rate's count or period is not above zero.
/// - A cancel request to the awaiting task is delivered to the children that run, and no others
///   start. When all have ended, `cancelled` is thrown.
/// - The range is as with limit_concurrency(). One that does not know its size is walked at the
///   beginning.
/// - Costs a frame for each task from the beginning, a place for each result, and a timer for the
///   next start.
///
/// In asyncio: no call; a loop that creates a task and sleeps.
template <detail::startable_range Range>
[[nodiscard]] auto limit_rate(rate allowed, Range&& range) {
  auto tasks = std::views::all(detail::as_tasks(std::forward<Range>(range)));
  using view = decltype(tasks);
  if constexpr (std::ranges::sized_range<view>) {
    return detail::run_at_rate<detail::task_source<view>>(allowed, std::move(tasks));
  } else {
    return detail::run_all_at_rate(allowed, std::move(tasks));
  }
}

}  // namespace magpie
