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
  std::size_t size = 1;               // items in a batch; the last may have fewer
  duration pause = duration::zero();  // from the end of a batch to the beginning of the next
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

/// Runs the tasks that `f(item)` gives in batches: those of one batch all at once, those of the
/// next when all have ended and the pause is over. Gives a vector of the results in order (of
/// std::reference_wrapper for tasks that return references), or nothing for tasks of void.
///
/// - `items` is any input range: a container that is not moved in is referred to, and stays until
///   the end. An item stays until its batch has ended. There is no pause after the last batch.
/// - Each batch is a gather(): when a child fails, the rest of its batch ends, no other batch is
///   begun, and the failure that came first is rethrown. Results are dropped. What `f` or the range
///   throws ends it before its batch has begun.
/// - A cancel ends the batch, or the pause, and throws `cancelled`.
/// - Throws invalid_state for a size of 0.
/// - Costs a gather for each batch, and a vector for all results.
///
/// In asyncio: a loop of `gather` over slices and `sleep`. When one slow task should not keep the
/// others waiting, take map_concurrent().
template <std::ranges::viewable_range Items, class Function>
[[nodiscard]] auto batch(Items&& items, batch_options options, Function f) {
  using view = std::views::all_t<Items>;
  using source = detail::mapped_source<view, Function>;
  return detail::run_batches<source>(options, std::views::all(std::forward<Items>(items)),
                                     std::move(f));
}

}  // namespace magpie
