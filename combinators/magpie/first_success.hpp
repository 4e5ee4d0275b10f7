#pragma once

#include <magpie/detail/contest.hpp>
#include <magpie/detail/contest_awaiter.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/exception_group.hpp>
#include <utility>

namespace magpie {

/// Runs lazy tasks concurrently, or whatever else can be awaited, and gives the first value.
///
///     const auto page = co_await magpie::first_success(fetch(near), fetch(far));
///
/// - It is race(), except that an error does not win. When the contenders start, the type of the
///   result, what happens to the losers, cancel requests and lifetimes are as with race().
/// - A contender that fails drops out, and the others go on. When all have failed, throws an
///   exception_group of all errors in the order in which they came. `cancelled` is among them if a
///   contender ended by it without a request. When one has succeeded, the errors are dropped.
/// - Costs what race() costs.
///
/// In asyncio: no counterpart; in JavaScript `Promise.any`, which does not cancel the losers.
template <detail::child... Contenders>
[[nodiscard]] auto first_success(Contenders... contenders)
  requires(sizeof...(Contenders) != 0)
{
  return detail::hold_contest<detail::decided_by::value>(std::move(contenders)...);
}

/// first_success() of a range, as with race().
template <detail::child_range Contenders>
[[nodiscard]] auto first_success(Contenders&& contenders) {
  return detail::hold_contest_of<detail::decided_by::value>(std::forward<Contenders>(contenders));
}

}  // namespace magpie
