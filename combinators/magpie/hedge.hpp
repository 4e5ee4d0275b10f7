#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/contest.hpp>
#include <magpie/exception_group.hpp>
#include <magpie/gather.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>
#include <type_traits>
#include <utility>

namespace magpie {

namespace detail {

template <class Make>
struct made_by {
  using type = std::invoke_result_t<const Make&>;
};
template <class Make>
  requires std::is_invocable_v<const Make&, std::size_t>
struct made_by<Make> {
  using type = std::invoke_result_t<const Make&, std::size_t>;
};

template <class Make>
using hedge_result = typename made_by<Make>::type::value_type;

/// The contenders of a hedge, which are made as they are started.
template <class Make>
class hedge_starts {
 public:
  using result = hedge_result<Make>;

  hedge_starts(Make make, duration delay, std::size_t most)
      : make_(std::move(make)), delay_(delay), most_(most) {}
  hedge_starts(hedge_starts&& other) noexcept(std::is_nothrow_move_constructible_v<Make>)
      : make_(std::move(other.make_)), delay_(other.delay_), most_(other.most_) {}

  task<> operator()(contest<result>& among) {
    if (most_ == 0) throw_invalid_state("a hedge of one start at least");
    return start_one(among);
  }

 private:
  /// A contender now, and another one later.
  task<> start_one(contest<result>& among) {
    co_await gather(run_in_turn(among), start_later(among));
  }

  /// When one fails, the next takes its place at once.
  task<> run_in_turn(contest<result>& among) {
    do {
      last_start_.store(now().time_since_epoch().count(), std::memory_order_relaxed);
      const std::size_t index = started_.fetch_add(1, std::memory_order_relaxed);
      if (index >= most_) break;
      co_await contend(among, made(index), as_given());
    } while (among.wants_more());
  }

  /// When nothing has been started for so long.
  task<> start_later(contest<result>& among) {
    while (started_.load(std::memory_order_relaxed) < most_ && among.wants_more()) {
      const time_point due =
          deadline_after(delay_, time_point(duration(last_start_.load(std::memory_order_relaxed))));
      if (now() >= due) {
        co_await start_one(among);
        break;
      }
      co_await sleep_until(due);
    }
  }

  /// So that what a call of make() throws is its contender's failure.
  task<result> made(std::size_t index) {
    if constexpr (std::is_invocable_v<const Make&, std::size_t>) {
      co_return co_await std::invoke(std::as_const(make_), index);
    } else {
      co_return co_await std::invoke(std::as_const(make_));
    }
  }

  const Make make_;
  const duration delay_;
  const std::size_t most_;
  // How many contenders have been started, or more, and when the last one was: moved by who starts
  // one. Nothing else is read by them, so they are relaxed; a contender too many is none, and who
  // reads a time just before it changes starts one early, as it had the right to a moment before.
  std::atomic<std::size_t> started_{0};
  std::atomic<duration::rep> last_start_{0};
};

}  // namespace detail

/// Starts the same work again when it takes long: gives the first value of up to `most` attempts.
///
/// The first attempt starts at once; another one whenever `delay` has passed since the last start,
/// and at once when one fails. The first value wins; the others are cancelled and have ended before
/// hedge returns, what they give is dropped. When all `most` have failed, throws an exception_group
/// with the error of each, in the order in which they came.
///
/// `make(index)`, or `make()`, gives a lazy task; `index` counts from 0. It is called as const and
/// may be called by several workers at once. What it throws is that attempt's error. Where it is
/// kept: as long as the hedge runs.
///
/// Cancelling the awaiting task cancels all attempts, starts no more, and throws `cancelled` when
/// they have ended. Throws invalid_state when `most` is 0, std::bad_alloc.
///
/// Costs two frames, and five small ones for each attempt besides its own. In asyncio: nothing;
/// `loop.create_connection` does it inside, as `happy_eyeballs_delay`.
template <class Make, class Rep, class Period>
[[nodiscard]] task<detail::hedge_result<Make>> hedge(Make make,
                                                     std::chrono::duration<Rep, Period> delay,
                                                     std::size_t most) {
  return detail::run_contest<detail::hedge_result<Make>>(
      detail::decided_by::value, most,
      detail::hedge_starts<Make>(std::move(make), detail::saturated(delay), most));
}

}  // namespace magpie
