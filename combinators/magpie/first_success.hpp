#pragma once

#include <magpie/detail/contest.hpp>
#include <magpie/exception_group.hpp>
#include <magpie/task.hpp>
#include <utility>
#include <vector>

namespace magpie {

/// Runs lazy tasks concurrently and gives the first value; who fails drops out.
///
/// It is race(), but that an error does not win: the others go on. When all have failed, throws an
/// exception_group of all errors in the order in which they came, `cancelled` among them if a
/// contender ended so of itself. When one has succeeded, the errors are dropped.
///
/// Starting, losers, the type of the result, cancelling and cost are as with race(), and a few
/// bytes for each error. In asyncio: nothing; in JavaScript `Promise.any`, but that the
/// losers are cancelled.
template <class... Ts>
[[nodiscard]] auto first_success(task<Ts>... contenders)
  requires(sizeof...(Ts) != 0)
{
  return detail::run_contest_of(detail::decided_by::value, std::move(contenders)...);
}

/// first_success() of a vector, which must not be empty (invalid_state).
template <class T>
[[nodiscard]] task<T> first_success(std::vector<task<T>> contenders) {
  return detail::run_contest_of(detail::decided_by::value, std::move(contenders));
}

}  // namespace magpie
