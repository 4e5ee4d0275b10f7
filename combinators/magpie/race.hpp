#pragma once

#include <magpie/detail/contest.hpp>
#include <magpie/task.hpp>
#include <utility>
#include <vector>

namespace magpie {

/// Runs lazy tasks concurrently and gives what the first to end gives, a value or an error.
///
/// Starts them as gather() does, but a contender that has not begun when the race is decided never
/// does. The first to end wins; the others are cancelled, and race waits until they have ended,
/// with what they do to clean up: it never returns while one of them runs. What a loser gives or
/// throws is dropped. A contender that ends by `cancelled` of itself wins with that.
///
/// Gives the common type of the tasks; for different ones a std::variant whose index is the
/// winner's, with std::monostate for void and std::reference_wrapper for references.
///
/// Cancelling the awaiting task cancels all contenders, and `cancelled` is thrown when they have
/// ended, also when one has won by then. That the losers are cancelled is not counted in
/// cancelling(). Throws invalid_state for an empty task, before anything starts, std::bad_alloc.
///
/// Costs two frames, and a small one for each contender besides its own. In asyncio: `asyncio.wait`
/// with FIRST_COMPLETED, then cancel() and another wait for what is pending.
template <class... Ts>
[[nodiscard]] auto race(task<Ts>... contenders)
  requires(sizeof...(Ts) != 0)
{
  return detail::run_contest_of(detail::decided_by::end, std::move(contenders)...);
}

/// race() of a vector, which must not be empty (invalid_state). Allocates some 24 bytes a contender
/// besides.
template <class T>
[[nodiscard]] task<T> race(std::vector<task<T>> contenders) {
  return detail::run_contest_of(detail::decided_by::end, std::move(contenders));
}

}  // namespace magpie
