#pragma once

#include <cstddef>
#include <magpie/detail/limited_run.hpp>
#include <ranges>
#include <utility>

namespace magpie {

/// Runs all tasks of a range, never more than `n` at once, and gives a vector of the results in
/// order (of std::reference_wrapper for tasks that return references), or nothing for tasks of
/// void.
///
/// It limits how many *run* at a time, as connections to a server are limited; how many *begin* in
/// a time, as calls to a service are, is limit_rate()'s business, and neither does the other's.
///
/// - The range is a vector that is moved in, or any other input range of tasks; one that makes them
///   on the way (a transform view, a generator) makes each when its turn has come. It is walked
///   under a lock, by one worker at a time.
/// - Each child is started, in order, as soon as there is room: the first n at once, the others
///   when one ends. They are children of a gather() and belong to the awaiting task; those that do
///   not suspend run one after the other on each worker that has nothing else to do.
/// - When a child fails, no new ones are started; those that run end, then the failure that came
///   first is rethrown. Results and further failures are dropped, tasks that have not started are
///   destroyed. What the range throws counts as a failure.
/// - Cancelling the awaiting task cancels those that run and starts no others, waits for their end,
///   and throws `cancelled`.
/// - Throws invalid_state for a limit of 0.
/// - Costs min(n, size) frames (n where the range does not know its size), the children's, a place
///   for each result and the vector; a lock for each child.
///
/// In asyncio: `gather` of coroutines that begin with `async with semaphore`, all of which exist
/// from the beginning, and go on after a failure.
template <detail::lazy_range Tasks>
[[nodiscard]] auto limit_concurrency(std::size_t n, Tasks&& tasks) {
  using source = detail::task_source<std::views::all_t<Tasks>>;
  return detail::run_limited<source>(n, std::views::all(std::forward<Tasks>(tasks)));
}

/// limit_concurrency() of the tasks that `f(item)` gives, each made when its turn has come. `items`
/// is any input range: a container that is not moved in is referred to, and stays until the end. An
/// item stays until its task has ended. `f` may be called by several workers at once; what it
/// throws counts as its task's failure.
///
/// In asyncio: no call; a semaphore, or a library's amap.
template <std::ranges::viewable_range Items, class Function>
[[nodiscard]] auto map_concurrent(Items&& items, std::size_t n, Function f) {
  using source = detail::mapped_source<std::views::all_t<Items>, Function>;
  return detail::run_limited<source>(n, std::views::all(std::forward<Items>(items)), std::move(f));
}

}  // namespace magpie
