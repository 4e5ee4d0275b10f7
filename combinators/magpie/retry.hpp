#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/function_view.hpp>
#include <magpie/errors.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>
#include <magpie/timeout.hpp>
#include <optional>
#include <type_traits>

namespace magpie {

/// How chance changes a pause, so that callers that failed together do not come back together. With
/// `none` the pause stays as it is; with `full` it is anything from zero up to it; with `equal`,
/// anything from a half of it up to it. The names are those of M. Brooker, Exponential Backoff And
/// Jitter, AWS Architecture Blog, 2015.
enum class jitter : unsigned char { none, full, equal };

struct exponential_options {
  double factor = 2;
  duration cap = no_limit;
  jitter spread = jitter::none;
};

/// How long to pause before the next attempt. Made by constant() and exponential().
class backoff_policy {
 public:
  /// Returns the pause after this many failures, 1 for the first. `random`, any number, decides the
  /// jitter.
  [[nodiscard]] duration pause_after(std::size_t failures, std::uint64_t random) const noexcept;

 private:
  friend constexpr backoff_policy constant(duration pause, jitter spread) noexcept;
  friend constexpr backoff_policy exponential(duration first, exponential_options options) noexcept;

  constexpr backoff_policy(duration first, double factor, duration cap, jitter spread) noexcept
      : first_(first), factor_(factor), cap_(cap), spread_(spread) {}

  duration first_;
  double factor_;
  duration cap_;
  jitter spread_;
};

/// The same pause each time.
[[nodiscard]] constexpr backoff_policy constant(duration pause,
                                                jitter spread = jitter::none) noexcept {
  return {pause, 1, no_limit, spread};
}

/// `first`, then each time `factor` times as long, but no longer than the cap. Jitter comes last.
[[nodiscard]] constexpr backoff_policy exponential(duration first,
                                                   exponential_options options = {}) noexcept {
  return {first, options.factor, options.cap, options.spread};
}

/// Keeps retries a small part of all calls that share it, so that retries do not multiply the calls
/// of an overloaded service. Each call pays in a part of a retry, and each retry takes a whole one
/// out. When none is left, the failure stands. Thread-safe. After the
/// retry budget of Twitter's Finagle.
class retry_budget {
 public:
  struct limits {
    std::size_t most = 100;  // retries that can be saved up; the budget begins with as many
    std::size_t calls_for_a_retry = 10;
  };

  explicit retry_budget(const limits& given = defaults()) noexcept;

  /// Returns how many whole retries are left.
  [[nodiscard]] std::size_t available() const noexcept;

  void pay_in() noexcept;
  [[nodiscard]] bool try_take_out() noexcept;

 private:
  static limits defaults() noexcept { return {}; }

  const std::size_t price_;  // of a retry
  const std::size_t most_;
  // 0 to most_. pay_in() adds one for each call, try_take_out() subtracts the price of a retry. A
  // count: it orders nothing.
  std::atomic<std::size_t> saved_;
};

/// An attempt that has failed, as retry() reports it.
struct failed_attempt {
  std::size_t number;  // the first is 1
  const std::exception_ptr& failure;
  std::optional<duration> pause;  // before the next; empty if there is none and the failure stands
};

/// The options of retry(). The functions and the budget are referred to and must stay until the
/// retry has ended.
struct retry_options {
  /// How many attempts there are at most, the first included. Not 0.
  std::size_t attempts = 3;

  /// The time limit of each attempt. At the limit the attempt is cancelled, and counts as failed
  /// with timeout_error.
  duration timeout = no_limit;

  /// The time limit of the whole retry, from its beginning. It ends an attempt as `timeout` does.
  /// No pause begins that would last until the limit: the failure stands at once.
  duration total = no_limit;

  backoff_policy backoff = constant(duration::zero());

  /// Returns whether to try again after this failure. Without a function, always.
  function_view<bool(const std::exception_ptr&)> when = {};

  /// Called after each attempt that has failed, before the pause.
  function_view<void(const failed_attempt&)> on_retry = {};

  /// The budget that pays for the retries. Null for none.
  retry_budget* budget = nullptr;

  /// The seed of the jitter. The same number gives the same pauses; 0 gives others each time.
  std::uint64_t seed = 0;
};

namespace detail {

/// The course of one retry(), without the attempts themselves. The options stay as long.
class retry_course {
 public:
  explicit retry_course(const retry_options& options);

  /// Returns the time limit of an attempt that starts now.
  [[nodiscard]] duration limit() const noexcept;

  /// Called after each failure. Returns the pause before the next attempt, if there is one.
  [[nodiscard]] std::optional<duration> after(const std::exception_ptr& failure);

 private:
  [[nodiscard]] std::optional<duration> next_pause(const std::exception_ptr& failure);
  [[nodiscard]] duration time_left() const noexcept;

  const retry_options& options_;
  const time_point deadline_;
  std::size_t failures_ = 0;
  std::uint64_t random_;  // drawn at the first failure, if the options have no seed
};

}  // namespace detail

/// Awaits the tasks that `make_task()` returns, one after the other, until one succeeds.
///
///     const magpie::retry_options options{
///         .attempts = 5, .timeout = 2s, .backoff = magpie::exponential(100ms)};
///     const auto page = co_await magpie::retry(options, fetch_once);
///
/// - The first attempt starts when the retry is awaited, each other one after a failure and a
///   pause. Each attempt is made, runs and ends within the awaiting task.
/// - Gives what the first attempt that succeeds returns.
/// - A failed attempt is followed by another one unless the attempts are used up, `when`
///   returns false, the deadline comes before the end of the pause, or the budget is used up. Then
///   its exception is rethrown at once, without a pause, and earlier ones are dropped.
/// - What `make_task` throws is a failed attempt. What `when` or `on_retry` throws ends the
///   retry. Throws invalid_state when `attempts` is 0.
/// - A cancel request to the awaiting task ends the attempt or the pause with `cancelled`. An
///   attempt that throws `cancelled` is never repeated.
/// - The options' functions and budget must stay until the retry has ended.
/// - Costs its frame, and a timer for each attempt that has a limit and for each pause.
///
/// In asyncio: no counterpart; a loop around `asyncio.wait_for` and `asyncio.sleep`, or the package
/// tenacity.
template <class MakeTask>
[[nodiscard]] auto retry(retry_options options, MakeTask make_task)
    -> task<detail::awaited_result<std::invoke_result_t<MakeTask&>>> {
  detail::retry_course course(options);
  for (;;) {
    duration pause{};
    try {
      co_return co_await wait_for(std::invoke(make_task), course.limit());
    } catch (const cancelled&) {
      throw;
    } catch (...) {
      const std::optional<duration> next = course.after(std::current_exception());
      if (!next) throw;
      pause = *next;
    }
    co_await sleep_for(pause);
  }
}

}  // namespace magpie
