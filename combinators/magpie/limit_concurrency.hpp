#pragma once

#include <cstddef>
#include <magpie/detail/limited_run.hpp>
#include <ranges>
#include <utility>

namespace magpie {

/// Runs all tasks of a range, or whatever else can be awaited, never more than `n` at once.
///
///     const auto pages = co_await magpie::limit_concurrency(10, std::move(fetches));
///
/// It limits how many *run* at a time, as connections to a server are limited. It does not limit
/// how many *start* in a time, as calls to a service are limited: that is limit_rate().
///
/// - Nothing starts until it is awaited. Then the children start in order: the first n at once,
///   each other one as soon as one ends. They are children of a gather() and belong to the awaiting
///   task. Those that do not suspend run one after the other on each worker that has nothing else
///   to do.
/// - Gives a vector of the results in order (of std::reference_wrapper for tasks that return
///   references), or nothing for tasks of void.
/// - When a child fails, no others start, and those that run go on to their end. Then the failure
///   that came first is rethrown. Results and further failures are dropped, and tasks that have not
///   started are destroyed. What the range throws counts as a failure. Throws invalid_state for a
///   limit of 0.
/// - A cancel request to the awaiting task is delivered to the children that run, and no others
///   start. When all have ended, `cancelled` is thrown.
/// - The range is a container that is moved in, or a view, of tasks or other awaitables but
/// handles.
///   One that makes its tasks on the way (a transform view, a generator) makes each when its turn
///   has come. The range is walked by one worker at a time.
/// - Costs min(n, size) frames (n where the range does not know its size), the children's frames, a
///   place for each result, and the vector; a lock for each child.
///
/// In asyncio: `gather` of coroutines that begin with `async with semaphore`. There all of them
/// exist from the beginning, and go on after a failure.
template <detail::startable_range Range>
[[nodiscard]] auto limit_concurrency(std::size_t n, Range&& range) {
  auto tasks = std::views::all(detail::as_tasks(std::forward<Range>(range)));
  return detail::run_limited<detail::task_source<decltype(tasks)>>(n, std::move(tasks));
}

/// limit_concurrency() of what `f(item)` returns, a task or another awaitable. Each is made when
/// its turn has come.
///
///     const auto pages = co_await magpie::map_concurrent(urls, 10, fetch);
///
/// `items` is any input range. A container that is not moved in is referred to and must stay until
/// the end. An item stays until its task has ended. `f` may be called by several workers at once;
/// what it throws counts as its task's failure.
///
/// In asyncio: no call; a semaphore, or a library's amap.
template <std::ranges::viewable_range Items, class Function>
[[nodiscard]] auto map_concurrent(Items&& items, std::size_t n, Function f) {
  using source = detail::mapped_source<std::views::all_t<Items>, Function>;
  return detail::run_limited<source>(n, std::views::all(std::forward<Items>(items)), std::move(f));
}

}  // namespace magpie
