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

/// What chance does to a pause, so that those who failed together do not come back together:
/// nothing; anything from zero up to it; or anything from a half up to it. The names are those of
/// M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015.
enum class jitter : unsigned char { none, full, equal };

struct exponential_options {
  double factor = 2;
  duration cap = no_limit;
  jitter spread = jitter::none;
};

/// How long to pause before the next attempt: made by constant() and exponential().
class backoff_policy {
 public:
  /// The pause after so many failures, the first being 1. `random` is what chance says, any number.
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

/// `first`, then each time `factor` times as long, but no longer than the cap; jitter comes last.
[[nodiscard]] constexpr backoff_policy exponential(duration first,
                                                   exponential_options options = {}) noexcept {
  return {first, options.factor, options.cap, options.spread};
}

/// Keeps retries a small part of all calls that share it, so that whoever is overloaded is not
/// asked several times as often for that reason: each call pays in a part of a retry, each retry
/// takes a whole one out, and where there is none left the failure stands. Any threads. After the
/// retry budget of Twitter's Finagle.
class retry_budget {
 public:
  struct limits {
    std::size_t most = 100;  // retries that can be saved up; it begins with as many
    std::size_t calls_for_a_retry = 10;
  };

  explicit retry_budget(const limits& given = defaults()) noexcept;

  /// Whole retries that are there now.
  [[nodiscard]] std::size_t available() const noexcept;

  void pay_in() noexcept;
  [[nodiscard]] bool try_take_out() noexcept;

 private:
  static limits defaults() noexcept { return {}; }

  const std::size_t price_;  // of a retry
  const std::size_t most_;
  // 0 to most_: up by one with each call, down by the price with each retry. A count; it orders
  // nothing.
  std::atomic<std::size_t> saved_;
};

/// What retry() tells of an attempt that has failed.
struct failed_attempt {
  std::size_t number;  // the first is 1
  const std::exception_ptr& failure;
  std::optional<duration> pause;  // before the next; nothing: there is none, the failure stands
};

/// What is referred to, the functions and the budget, stays until the retry has ended.
struct retry_options {
  /// At most, with the first. Not 0.
  std::size_t attempts = 3;

  /// Of each attempt, which is cancelled then and counts as failed by timeout_error.
  duration timeout = no_limit;

  /// Of everything, from the beginning. It ends an attempt like `timeout`, and no pause begins that
  /// would last until then: the failure stands at once.
  duration deadline = no_limit;

  backoff_policy backoff = constant(duration::zero());

  /// Whether to try again after this failure. None: always.
  function_view<bool(const std::exception_ptr&)> retry_if = {};

  /// Called after each attempt that has failed, before the pause.
  function_view<void(const failed_attempt&)> on_failure = {};

  /// Null for none.
  retry_budget* budget = nullptr;

  /// Of the jitter: the same number gives the same pauses. 0: others each time.
  std::uint64_t seed = 0;
};

namespace detail {

/// The course of one retry(), but for the attempts themselves.
class retry_course {
 public:
  explicit retry_course(const retry_options& options);

  /// Of the attempt that begins now.
  [[nodiscard]] duration limit() const noexcept;

  /// The pause before the next attempt; nothing when there is to be none.
  [[nodiscard]] std::optional<duration> after(const std::exception_ptr& failure);

 private:
  [[nodiscard]] std::optional<duration> next_pause(const std::exception_ptr& failure);
  [[nodiscard]] duration time_left() const noexcept;

  const retry_options options_;
  const time_point deadline_;
  std::size_t failures_ = 0;
  std::uint64_t random_;
};

}  // namespace detail

/// Awaits the tasks that `make_task()` gives, one after the other, until one succeeds: gives what
/// it returns. Each attempt is made, begun and ended within the calling task.
///
/// A failed attempt is followed by another unless there were as many as allowed, `retry_if` says
/// no, the budget is used up, or the deadline comes before the end of the pause: then its exception
/// is thrown at once, without a pause, and earlier ones are dropped. What `make_task`, `retry_if`
/// or `on_failure` throws ends it too, but for what `make_task` throws: that is a failed attempt.
///
/// A cancel ends the attempt or the pause and throws `cancelled`. An attempt that throws
/// `cancelled` is never repeated. Throws invalid_state for no attempts at all. Costs its frame, and
/// a timer for each attempt that has a limit. asyncio has nothing like it; in Python, a loop around
/// `asyncio.wait_for` and `asyncio.sleep`, or the package tenacity.
template <class MakeTask>
[[nodiscard]] auto retry(retry_options options, MakeTask make_task)
    -> std::invoke_result_t<MakeTask&> {
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
