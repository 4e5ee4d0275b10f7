#pragma once

#include <magpie/detail/contest.hpp>
#include <magpie/detail/contest_awaiter.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <utility>

namespace magpie {

/// Runs lazy tasks concurrently, or whatever else can be awaited, and gives what the first one to
/// end gives, a value or an error.
///
///     const auto page = co_await magpie::race(fetch(near), fetch(far));
///     co_await magpie::race(std::move(answer), magpie::sleep_for(1s));  // a handle, and a sleep
///
/// - Nothing starts until it is awaited. Then the contenders start as the children of a gather()
///   do. A contender that has not started when the race is decided never does.
/// - Gives the result of the first to end. If all tasks return one type, gives that type. Else
///   gives a std::variant whose index is the winner's, with std::monostate for void and
///   std::reference_wrapper for references.
/// - An error wins as a value does, and is rethrown. So does a contender that ends by `cancelled`
///   without a request. Throws invalid_state for an empty task, before anything starts, and
///   std::bad_alloc.
/// - The losers are cancelled, and race waits until they have ended, their clean-up included. It
///   never returns while one of them runs. What a loser returns or throws is dropped. The task's
///   cancelling() does not count that its losers are cancelled. The task of a handle that loses is
///   cancelled, too.
/// - A cancel request to the awaiting task cancels all contenders. When they have ended,
///   `cancelled` is thrown, even if one has won by then.
/// - The contenders are part of the awaiting task.
/// - Allocates nothing. A contender that is no task costs a coroutine frame.
///
/// In asyncio: `asyncio.wait` with FIRST_COMPLETED, then cancel() and another wait for what is
/// pending.
template <detail::child... Contenders>
[[nodiscard]] auto race(Contenders... contenders)
  requires(sizeof...(Contenders) != 0)
{
  return detail::hold_contest<detail::decided_by::end>(std::move(contenders)...);
}

/// race() of a range: of tasks or other awaitables in a container that is moved in, or in a view,
/// which this call walks; or of handles. The await throws invalid_state when it is empty. Allocates
/// some 50 bytes a contender.
template <detail::child_range Contenders>
[[nodiscard]] auto race(Contenders&& contenders) {
  return detail::hold_contest_of<detail::decided_by::end>(std::forward<Contenders>(contenders));
}

}  // namespace magpie
