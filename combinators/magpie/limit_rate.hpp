#pragma once

#include <cstddef>
#include <magpie/detail/limited_run.hpp>
#include <magpie/rate_limiter.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/timeout.hpp>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

namespace magpie {

namespace detail {

/// Who may begin next, and when.
class pace {
 public:
  explicit pace(const rate& allowed) : meter_(allowed) {}

  [[nodiscard]] semaphore::acquisition turn() noexcept { return turn_.acquire(); }

  // For who has the turn.

  /// Returns when the next may begin, or at once when none is to begin any more.
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

  semaphore turn_{1};
  semaphore stopped_{0};
  rate_meter meter_;
};

/// Takes a task when it is time for one, and runs it.
template <class Run>
[[nodiscard]] task<> run_in_turn(Run& run, pace& limit) {
  try {
    std::optional<typename Run::taken> chosen;
    {
      const permit turn = co_await limit.turn();
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

/// Of a range that has to be walked to know its size.
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

/// Begins the tasks of a range one after the other, no more often than `allowed` says, and gives a
/// vector of the results in order (of std::reference_wrapper for tasks that return references), or
/// nothing for tasks of void.
///
/// It limits how many *begin* in a time, as calls to a service are limited; how many *run* at once,
/// as connections are, is limit_concurrency()'s business: slow tasks pile up here, however many.
/// Where both count, limit the concurrency of tasks that await a shared rate_limiter.
///
/// - The range is as with limit_concurrency(); one that does not know its size is walked at the
///   beginning.
/// - The first child starts at once, each other, in order, when the rate allows it.
/// - When a child fails, no new ones are started, those that run end, then the failure that came
///   first is rethrown. Results and further failures are dropped, tasks that have not started are
///   destroyed.
/// - Cancelling the awaiting task cancels those that run and starts no others, waits for their end,
///   and throws `cancelled`.
/// - Throws invalid_state for a rate of none, or in no time.
/// - Costs a frame and a place for each task from the beginning, and a timer for who is next.
///
/// In asyncio: no call; a loop that creates a task and sleeps.
template <detail::lazy_range Tasks>
[[nodiscard]] auto limit_rate(rate allowed, Tasks&& tasks) {
  using view = std::views::all_t<Tasks>;
  if constexpr (std::ranges::sized_range<view>) {
    return detail::run_at_rate<detail::task_source<view>>(
        allowed, std::views::all(std::forward<Tasks>(tasks)));
  } else {
    return detail::run_all_at_rate(allowed, std::views::all(std::forward<Tasks>(tasks)));
  }
}

}  // namespace magpie
