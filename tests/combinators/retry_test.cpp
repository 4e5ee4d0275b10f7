#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/magpie.hpp>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::constant;
using magpie::duration;
using magpie::exponential;
using magpie::jitter;
using magpie::test::ends;
using magpie::test::eventually;

class retries : public magpie::test::cancelling {
 protected:
  /// Awaits a retry() and says what became of it.
  template <class Make>
  std::string outcome_of(const magpie::retry_options& options, Make make) {
    try {
      return std::to_string(runtime.block_on(magpie::retry(options, make)));
    } catch (const std::exception& failure) {
      return failure.what();
    } catch (const magpie::cancelled&) {
      return "cancelled";
    }
  }
};
MAGPIE_FOR_EACH_RUNTIME(retries);

/// Fails with its number until it has done so often enough.
struct failing {
  int failures;
  int attempts = 0;
  duration lasts{};

  magpie::task<int> operator()() { return attempt(++attempts); }

  magpie::task<int> attempt(int number) {
    if (lasts != duration::zero()) co_await magpie::sleep_for(lasts);
    if (number <= failures) throw std::runtime_error("failure " + std::to_string(number));
    co_return number;
  }
};

// Rule 72.
TEST_P(retries, until_one_succeeds) {
  failing twice{.failures = 2};
  EXPECT_EQ(outcome_of({.attempts = 5}, std::ref(twice)), "3");
  EXPECT_EQ(twice.attempts, 3);
  failing never{.failures = 0};
  EXPECT_EQ(outcome_of({.attempts = 1}, std::ref(never)), "1");
}

// Rule 72: the last error is rethrown.
TEST_P(retries, give_up_with_the_last_failure) {
  failing always{.failures = 100};
  EXPECT_EQ(outcome_of({.attempts = 4}, std::ref(always)), "failure 4");
  EXPECT_EQ(always.attempts, 4);
}

TEST_P(retries, of_void_and_of_references) {
  int attempts = 0;
  int place = 0;
  const auto of_void = [&]() -> magpie::task<> {
    if (++attempts < 3) throw std::runtime_error("again");
    co_return;
  };
  const auto of_reference = [&]() -> magpie::task<int&> {
    if (++attempts < 6) throw std::runtime_error("again");
    co_return place;
  };
  runtime.block_on(magpie::retry({}, of_void));
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(&runtime.block_on(magpie::retry({}, of_reference)), &place);
}

TEST_P(retries, what_the_maker_throws_is_a_failed_attempt) {
  int calls = 0;
  const auto make = [&]() -> magpie::task<int> {
    if (++calls == 1) throw std::runtime_error("not even made");
    return magpie::test::sleep_and_give(calls);
  };
  EXPECT_EQ(outcome_of({.attempts = 2, .timeout = 1ms}, make), magpie::timeout_error().what());
  EXPECT_EQ(calls, 2);
}

TEST_P(retries, without_an_attempt_are_refused) {
  failing never{.failures = 0};
  EXPECT_THROW(runtime.block_on(magpie::retry({.attempts = 0}, std::ref(never))),
               magpie::invalid_state);
  EXPECT_EQ(never.attempts, 0);
}

// Rule 72: no pause after the last attempt.
TEST_P(retries, pause_between_attempts_only) {
  if (!is_virtual()) GTEST_SKIP() << "looks at exact times";
  failing always{.failures = 100};
  const auto begin = runtime.now();
  EXPECT_EQ(outcome_of({.attempts = 4, .backoff = constant(1h)}, std::ref(always)), "failure 4");
  EXPECT_EQ(runtime.now() - begin, 3h);
  EXPECT_EQ(outcome_of({.attempts = 4, .backoff = exponential(1s)}, std::ref(always)), "failure 8");
  EXPECT_EQ(runtime.now() - begin, 3h + 7s);
}

// Rule 72: a timeout for each attempt.
TEST_P(retries, limit_each_attempt) {
  int attempts = 0;
  const auto slow_twice = [&]() -> magpie::task<int> {
    if (++attempts <= 2) co_await magpie::sleep_for(1000h);
    co_return attempts;
  };
  EXPECT_EQ(outcome_of({.attempts = 3, .timeout = 20ms}, slow_twice), "3");
}

// Rule 72: a deadline over all.
TEST_P(retries, never_pause_beyond_the_deadline) {
  if (!is_virtual()) GTEST_SKIP() << "looks at exact times";
  failing always{.failures = 100};
  const auto begin = runtime.now();
  EXPECT_EQ(
      outcome_of({.attempts = 100, .total = 3500ms, .backoff = constant(1s)}, std::ref(always)),
      "failure 4");
  EXPECT_EQ(runtime.now() - begin, 3s) << "the next pause would end too late";
  failing slow{.failures = 100, .lasts = 2s};
  EXPECT_EQ(outcome_of({.attempts = 100, .timeout = 4s, .total = 5s}, std::ref(slow)),
            magpie::timeout_error().what());
  EXPECT_EQ(slow.attempts, 3);
  EXPECT_EQ(runtime.now() - begin, 8s) << "the deadline ended the third attempt";
  EXPECT_EQ(outcome_of({.total = 0s}, std::ref(slow)), magpie::timeout_error().what());
}

// Rule 72: a predicate on the error.
TEST_P(retries, only_of_what_the_predicate_allows) {
  failing always{.failures = 100};
  EXPECT_EQ(outcome_of({.attempts = 9, .when = [](const std::exception_ptr&) { return false; }},
                       std::ref(always)),
            "failure 1");
  int asked = 0;
  const auto twice = [&asked](const std::exception_ptr& failure) {
    EXPECT_THROW(std::rethrow_exception(failure), std::runtime_error);
    return ++asked <= 2;
  };
  EXPECT_EQ(outcome_of({.attempts = 9, .when = twice}, std::ref(always)), "failure 4");
  EXPECT_EQ(asked, 3);
}

TEST_P(retries, tell_of_each_failure) {
  failing always{.failures = 100};
  std::vector<std::pair<std::size_t, std::optional<duration>>> seen;
  const auto note = [&seen](const magpie::failed_attempt& failed) {
    EXPECT_THROW(std::rethrow_exception(failed.failure), std::runtime_error);
    seen.emplace_back(failed.number, failed.pause);
  };
  outcome_of({.attempts = 3, .backoff = exponential(1us), .on_retry = note}, std::ref(always));
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0], std::pair(std::size_t{1}, std::optional<duration>(1us)));
  EXPECT_EQ(seen[1], std::pair(std::size_t{2}, std::optional<duration>(2us)));
  EXPECT_EQ(seen[2], std::pair(std::size_t{3}, std::optional<duration>()));
}

// Rule 72: cancelled is never retried.
TEST_P(retries, never_of_what_was_cancelled) {
  int attempts = 0;
  const auto cancels_itself = [&]() -> magpie::task<int> {
    ++attempts;
    throw magpie::cancelled();
    co_return 0;
  };
  EXPECT_EQ(outcome_of({.attempts = 9}, cancels_itself), "cancelled");
  EXPECT_EQ(attempts, 1);

  const auto waits = [&]() -> magpie::task<int> {
    ++attempts;
    return magpie::test::sleep_and_give(1);
  };
  auto in_attempt = runtime.spawn(magpie::retry({.attempts = 9}, waits));
  ASSERT_TRUE(nothing_runs());
  in_attempt.cancel();
  ASSERT_TRUE(ends(in_attempt));
  EXPECT_TRUE(in_attempt.cancelled());
  EXPECT_EQ(attempts, 2);

  failing always{.failures = 100};
  auto in_pause =
      runtime.spawn(magpie::retry({.attempts = 9, .backoff = constant(1000h)}, std::ref(always)));
  ASSERT_TRUE(nothing_runs());
  in_pause.cancel();
  ASSERT_TRUE(ends(in_pause));
  EXPECT_TRUE(in_pause.cancelled());
  EXPECT_EQ(always.attempts, 1);
}

TEST_P(retries, share_a_budget) {
  magpie::retry_budget budget({.most = 3, .calls_for_a_retry = 2});
  EXPECT_EQ(budget.available(), 3U);
  failing always{.failures = 100};
  EXPECT_EQ(outcome_of({.attempts = 9, .budget = &budget}, std::ref(always)), "failure 4");
  EXPECT_EQ(budget.available(), 0U);
  EXPECT_EQ(outcome_of({.attempts = 9, .budget = &budget}, std::ref(always)), "failure 5");
  EXPECT_EQ(outcome_of({.attempts = 9, .budget = &budget}, std::ref(always)), "failure 7")
      << "two calls paid for one retry";
  for (int i = 0; i < 100; ++i) budget.pay_in();
  EXPECT_EQ(budget.available(), 3U);
}

/// The parameters of one retry, in whole nanoseconds.
struct course {
  std::int64_t first;
  std::int64_t factor;
  std::int64_t cap;
  std::int64_t lasts;  // each attempt
  std::size_t failures;
};

/// Attempt number k + 1 starts when number k has ended, and min(cap, first * factor ^ (k - 1))
/// later.
std::vector<std::int64_t> starts_of(const course& given) {
  std::vector<std::int64_t> result;
  std::int64_t now = 0;
  std::int64_t pause = given.first;
  for (std::size_t k = 0; k <= given.failures; ++k) {
    result.push_back(now);
    now += given.lasts + std::min(pause, given.cap);
    pause *= given.factor;
  }
  return result;
}

// Rule 72.
TEST(retries_in_virtual_time, start_a_thousand_tasks_at_the_exact_moments) {
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
  std::mt19937_64 random(magpie::test::announced_seed());
  const auto run = [](course given) -> magpie::task<> {
    const auto begin = magpie::now();
    std::vector<std::int64_t> starts;
    const auto attempt = [&]() -> magpie::task<> {
      starts.push_back((magpie::now() - begin).count());
      co_await magpie::sleep_for(duration(given.lasts));
      if (starts.size() <= given.failures) throw std::runtime_error("again");
    };
    co_await magpie::retry(
        {.attempts = given.failures + 1,
         .timeout = duration(given.lasts + 1),
         .backoff = exponential(duration(given.first), {.factor = static_cast<double>(given.factor),
                                                        .cap = duration(given.cap)})},
        attempt);
    EXPECT_EQ(starts, starts_of(given));
  };
  const auto any_up_to = [&](std::int64_t most) {
    return 1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most));
  };
  const auto all = [&]() -> magpie::task<> {
    std::vector<magpie::task<>> tasks;
    for (int i = 0; i < 1000; ++i) {
      tasks.push_back(run({.first = any_up_to(1'000'000'000),
                           .factor = any_up_to(3),
                           .cap = any_up_to(10'000'000'000),
                           .lasts = any_up_to(1'000'000),
                           .failures = random() % 8}));
    }
    co_await magpie::gather(std::move(tasks));
  };
  runtime.block_on(all());
}

// Rule 72: the pauses of a seed are those of its jitter, and the deadline is never passed.
TEST(retries_in_virtual_time, keep_within_the_limits_of_any_parameters) {
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
  std::mt19937_64 random(magpie::test::announced_seed());
  for (int i = 0; i < 10'000; ++i) {
    const duration cap(1 + random() % 1'000'000);
    const duration total(1 + random() % 10'000'000);
    const std::size_t attempts = 1 + random() % 6;
    const jitter spread = random() % 2 == 0 ? jitter::full : jitter::equal;
    const magpie::retry_options options{
        .attempts = attempts,
        .total = total,
        .backoff = exponential(duration(random() % 1'000'000), {.cap = cap, .spread = spread}),
        .seed = random() | 1};
    std::vector<magpie::time_point> starts;
    const auto attempt = [&]() -> magpie::task<> {
      starts.push_back(magpie::now());
      throw std::runtime_error("again");
      co_return;
    };
    const auto begin = runtime.now();
    EXPECT_THROW(runtime.block_on(magpie::retry(options, attempt)), std::runtime_error);
    ASSERT_LE(starts.size(), attempts);
    ASSERT_LT(starts.back() - begin, total);
    for (std::size_t k = 1; k < starts.size(); ++k) ASSERT_LE(starts[k] - starts[k - 1], cap);
    const auto first_run = std::exchange(starts, {});
    const auto again = runtime.now();
    EXPECT_THROW(runtime.block_on(magpie::retry(options, attempt)), std::runtime_error);
    ASSERT_EQ(starts.size(), first_run.size());
    for (std::size_t k = 0; k < starts.size(); ++k) {
      ASSERT_EQ(starts[k] - again, first_run[k] - begin) << "the same seed, attempt " << k + 1;
    }
  }
}

TEST(backoff, is_constant_or_exponential_up_to_a_cap) {
  EXPECT_EQ(constant(5ms).pause_after(1, 77), 5ms);
  EXPECT_EQ(constant(5ms).pause_after(1000, 77), 5ms);
  const auto doubled = exponential(100ms, {.cap = 1s});
  EXPECT_EQ(doubled.pause_after(1, 0), 100ms);
  EXPECT_EQ(doubled.pause_after(4, 0), 800ms);
  EXPECT_EQ(doubled.pause_after(5, 0), 1s);
  EXPECT_EQ(doubled.pause_after(1'000'000, 0), 1s);
  EXPECT_EQ(exponential(1s, {.factor = 3}).pause_after(3, 0), 9s);
  EXPECT_EQ(exponential(1s).pause_after(1'000'000, 0), duration::max());
  EXPECT_EQ(exponential(0s).pause_after(1'000'000, 0), 0s);
}

TEST(backoff, has_full_or_equal_jitter) {
  constexpr std::uint64_t largest = ~std::uint64_t{0};
  const auto full = exponential(1s, {.spread = jitter::full});
  EXPECT_EQ(full.pause_after(2, 0), 0s);
  EXPECT_EQ(full.pause_after(2, largest / 2 + 1), 1s);
  EXPECT_LE(full.pause_after(2, largest), 2s);
  const auto equal = exponential(1s, {.spread = jitter::equal});
  EXPECT_EQ(equal.pause_after(2, 0), 1s);
  EXPECT_EQ(equal.pause_after(2, largest / 2 + 1), 1500ms);
  EXPECT_LE(equal.pause_after(2, largest), 2s);
}

/// The pauses of ten attempts.
std::vector<duration> pauses(std::uint64_t seed) {
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
  std::vector<duration> seen;
  const auto note = [&seen](const magpie::failed_attempt& failed) {
    if (failed.pause) seen.push_back(*failed.pause);
  };
  failing always{.failures = 100};
  EXPECT_THROW(
      runtime.block_on(magpie::retry(
          {.attempts = 10, .backoff = constant(1s, jitter::full), .on_retry = note, .seed = seed},
          std::ref(always))),
      std::runtime_error);
  return seen;
}

TEST(backoff, draws_from_a_seed) {
  EXPECT_EQ(pauses(1), pauses(1));
  EXPECT_NE(pauses(1), pauses(2));
  EXPECT_NE(pauses(0), pauses(0));
  const std::vector<duration> some = pauses(3);
  EXPECT_EQ(std::set<duration>(some.begin(), some.end()).size(), 9U);
}

}  // namespace
