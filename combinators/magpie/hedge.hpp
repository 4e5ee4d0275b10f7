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

struct hedge_options {
  duration delay = {};       // how long to wait for a result before the next attempt starts
  std::size_t attempts = 2;  // how many there are at most; not 0
};

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
using hedge_result = awaited_result<typename made_by<Make>::type>;

/// The contenders of a hedge. Each is made when it starts.
template <class Make>
class hedge_starts {
 public:
  using result = hedge_result<Make>;

  hedge_starts(Make make, hedge_options options)
      : make_(std::move(make)), delay_(saturated(options.delay)), most_(options.attempts) {}
  hedge_starts(hedge_starts&& other) noexcept(std::is_nothrow_move_constructible_v<Make>)
      : make_(std::move(other.make_)), delay_(other.delay_), most_(other.most_) {}

  task<> operator()(contest<result>& among) {
    if (most_ == 0) throw_invalid_state("a hedge of one start at least");
    return start_one(among);
  }

 private:
  /// Starts a contender now, and another one after the delay.
  task<> start_one(contest<result>& among) {
    co_await gather(run_in_turn(among), start_later(among));
  }

  /// Runs a contender. When it fails, the next one takes its place at once.
  task<> run_in_turn(contest<result>& among) {
    do {
      last_start_.store(now().time_since_epoch().count(), std::memory_order_relaxed);
      const std::size_t index = started_.fetch_add(1, std::memory_order_relaxed);
      if (index >= most_) break;
      co_await contend(among, made(index), as_given());
    } while (among.wants_more());
  }

  /// Starts another contender when none has been started for as long as the delay.
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

  /// Calls make(), in a coroutine, so that what it throws is its contender's failure.
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
  // How many contenders have been started, or more, and when the last one was. Whoever starts a
  // contender moves both. No other data is read through them, so they are relaxed. An index that is
  // too large starts nothing. A reader that sees the time just before it changes starts a contender
  // early, as it was entitled to a moment before.
  std::atomic<std::size_t> started_{0};
  std::atomic<duration::rep> last_start_{0};
};

}  // namespace detail

/// Starts the same work again when it takes long, and gives the first value.
///
///     const auto fetch_from = [&](std::size_t index) { return fetch(replicas[index]); };
///     const auto page =
///         co_await magpie::hedge({.delay = 50ms, .attempts = replicas.size()}, fetch_from);
///
/// - The first attempt starts when the hedge is awaited. Another one starts whenever `delay` has
///   passed since the last start, and at once when one fails. There are `attempts` at most.
/// - Gives the first value. The other attempts are cancelled and have ended before hedge returns;
///   what they return or throw is dropped.
/// - A failed attempt drops out. When all have failed, throws an exception_group with the error of
///   each, in the order in which they came. Throws invalid_state when `attempts` is 0, and
///   std::bad_alloc.
/// - A cancel request to the awaiting task cancels all attempts, and no more are started. When they
///   have ended, `cancelled` is thrown, even if one has won by then.
/// - `make(index)`, or `make()`, returns a lazy task or another awaitable; `index` counts from 0.
/// It is called as const
///   and may be called by several workers at once. What it throws is that attempt's error. `make`
///   is kept as long as the hedge runs.
/// - Costs two frames, and five small ones for each attempt besides its own.
///
/// In asyncio: no counterpart; `loop.create_connection` does it inside, as `happy_eyeballs_delay`.
template <class Make>
[[nodiscard]] task<detail::hedge_result<Make>> hedge(hedge_options options, Make make) {
  return detail::run_contest<detail::hedge_result<Make>>(
      detail::decided_by::value, options.attempts,
      detail::hedge_starts<Make>(std::move(make), options));
}

}  // namespace magpie
