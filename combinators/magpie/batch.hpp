#pragma once

#include <cstddef>
#include <deque>
#include <iterator>
#include <magpie/clock.hpp>
#include <magpie/detail/limited_run.hpp>
#include <magpie/gather.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace magpie {

struct batch_options {
  std::size_t size = 1;               // items in a batch; the last batch may have fewer
  duration pause = duration::zero();  // from the end of a batch to the start of the next
};

namespace detail {

template <class Source, class Items, class Function>
[[nodiscard]] task<results_in_order<typename Source::result>> run_batches(batch_options options,
                                                                          Items items, Function f) {
  using result = typename Source::result;
  if (options.size == 0) throw_invalid_state("batches of at least one item");
  Source source(std::move(items), std::move(f));
  ordered_results<result> results;
  while (!source.is_at_end()) {
    std::deque<typename Source::item> taken;
    while (taken.size() < options.size && !source.is_at_end()) taken.push_back(source.take());
    std::vector<task<result>> tasks;
    tasks.reserve(taken.size());
    for (auto& each : taken) tasks.push_back(source.begin(each));
    if constexpr (std::is_void_v<result>) {
      co_await gather(std::move(tasks));
    } else {
      auto gathered = co_await gather(std::move(tasks));
      for (auto&& each : gathered) results.add()->fill(std::move(each));
    }
    if (options.pause > duration::zero() && !source.is_at_end()) co_await sleep_for(options.pause);
  }
  co_return results.take();
}

}  // namespace detail

/// Runs the tasks that `f(item)` returns in batches, with a pause between two batches.
///
///     const auto pages = co_await magpie::batch(urls, {.size = 10, .pause = 100ms}, fetch);
///
/// - Nothing starts until it is awaited. A batch first makes its tasks, in order, then runs them in
///   one gather(). The next batch starts when all of them have ended and the pause is over. No
///   pause follows the last batch.
/// - Gives a vector of the results in the order of the items (of std::reference_wrapper for tasks
///   that return references), or nothing for tasks of void.
/// - When a child fails, the others of its batch run to their end, and no further batch starts.
///   Then the failure that came first is rethrown, and all results are dropped. What `f` or the
///   range throws is rethrown before that batch starts. Throws invalid_state for a size of 0.
/// - A cancel request to the awaiting task is delivered to the children of the batch, or ends the
///   pause. Then `cancelled` is thrown, and the results are dropped.
/// - `items` is any input range. A container that is not moved in is referred to and must stay
///   until the end. An item stays until its batch has ended.
/// - Costs a gather for each batch, and a vector for all results.
///
/// In asyncio: a loop of `gather` over slices, and `sleep`. Where one slow task should not keep the
/// others waiting, use map_concurrent().
template <std::ranges::viewable_range Items, class Function>
[[nodiscard]] auto batch(Items&& items, batch_options options, Function f) {
  using view = std::views::all_t<Items>;
  using source = detail::mapped_source<view, Function>;
  return detail::run_batches<source>(options, std::views::all(std::forward<Items>(items)),
                                     std::move(f));
}

}  // namespace magpie
