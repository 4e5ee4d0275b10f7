#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/as_task.hpp>
#include <magpie/detail/error_list.hpp>
#include <magpie/errors.hpp>
#include <magpie/exception_group.hpp>
#include <magpie/first_success.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/task.hpp>
#include <magpie/timeout.hpp>
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

/// The attempts of a hedge.
template <class Make>
class hedged {
 public:
  using result = hedge_result<Make>;

  hedged(Make make, hedge_options options)
      : make_(std::move(make)), delay_(saturated(options.delay)), most_(options.attempts) {}

  /// Gives the first value.
  task<result> run() {
    if (most_ == 0) throw_invalid_state("a hedge of one attempt at least");
    try {
      co_return co_await run_from(0);
    } catch (const exception_group&) {
      throw exception_group(errors_.take());
    }
  }

 private:
  /// Runs an attempt and, when it is due, the next one with all that follow.
  task<result> run_from(std::size_t index) {
    if (index + 1 == most_) {
      co_return co_await first_success(attempt(index));
    } else {
      co_return co_await first_success(attempt(index), run_later(index + 1, now()));
    }
  }

  task<result> attempt(std::size_t index) {
    try {
      if constexpr (std::is_invocable_v<const Make&, std::size_t>) {
        co_return co_await std::invoke(make_, index);
      } else {
        co_return co_await std::invoke(make_);
      }
    } catch (...) {
      errors_.add(std::current_exception());
      failed_.release();
      throw;
    }
  }

  /// An attempt is due when another one has failed, or the delay has passed since the last start.
  task<result> run_later(std::size_t index, time_point last_start) {
    try {
      const duration left = deadline_after(delay_, last_start) - now();
      permit failure = co_await wait_for(failed_.acquire(), left);
      failure.detach();
    } catch (const timeout_error&) {
    }
    co_return co_await run_from(index);
  }

  const Make make_;
  const duration delay_;
  const std::size_t most_;
  semaphore failed_{0};  // a permit for each attempt that has failed and was not replaced
  error_list errors_;
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
/// It
///   is called as const and may be called by several workers at once. What it throws is that
///   attempt's error. `make` is kept as long as the hedge runs.
/// - Costs two frames, and four small ones for each attempt besides its own. An attempt that is
/// late
///   costs an exception, too.
///
/// In asyncio: no counterpart; `loop.create_connection` does it inside, as `happy_eyeballs_delay`.
template <class Make>
[[nodiscard]] task<detail::hedge_result<Make>> hedge(hedge_options options, Make make) {
  detail::hedged<Make> attempts(std::move(make), options);
  co_return co_await attempts.run();
}

}  // namespace magpie
