#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <magpie/as_completed.hpp>
#include <magpie/batch.hpp>
#include <magpie/batcher.hpp>
#include <magpie/errors.hpp>
#include <magpie/first_success.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/gather.hpp>
#include <magpie/hedge.hpp>
#include <magpie/limit_concurrency.hpp>
#include <magpie/limit_rate.hpp>
#include <magpie/map_unordered.hpp>
#include <magpie/race.hpp>
#include <magpie/rate_limiter.hpp>
#include <magpie/retry.hpp>
#include <magpie/runtime.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task_group.hpp>
#include <magpie/timeout.hpp>
#include <magpie/wait.hpp>
#include <magpie/yield.hpp>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/virtual_clock.hpp"

// A cancel request at every step of every combinator. A scenario runs under virtual time and is
// cancelled before its first step, then after one step, then after two, until it ends before the
// request. Whenever that is, it ends as cancelled, and nothing of it is left: no child, no frame,
// no object of a child.

namespace {

using namespace std::chrono_literals;
using magpie::task;
using magpie::test::counted;
using magpie::test::drive;

using items = std::vector<int>;

/// Takes some steps and some time, and has something to clean up.
task<int> work(int number) {
  const counted local;
  co_await magpie::yield();
  co_await magpie::sleep_for(number * 1ms);
  co_await magpie::yield();
  co_return number;
}

task<int> work_and_fail(int number) {
  const counted local;
  co_await magpie::sleep_for(number * 1ms);
  throw std::runtime_error("as it should");
}

/// Cleans up for some steps when it is cancelled.
task<int> work_and_clean_up(int number) {
  const counted local;
  bool is_cancelled = false;
  try {
    co_await magpie::sleep_for(number * 1ms);
  } catch (const magpie::cancelled&) {
    is_cancelled = true;
  }
  co_await magpie::yield();
  co_await magpie::sleep_for(1ms);
  if (is_cancelled) throw magpie::cancelled("swept");
  co_return number;
}

std::vector<task<int>> several() {
  std::vector<task<int>> all;
  for (int i = 1; i <= 4; ++i) all.push_back(i % 2 == 0 ? work_and_clean_up(i) : work(i));
  return all;
}

/// A function, because g++ 12 takes no list of values beside a co_await.
items up_to(int last) {
  items all;
  for (int i = 1; i <= last; ++i) all.push_back(i);
  return all;
}

std::vector<magpie::task_handle<int>> several_spawned() { return magpie::spawn_many(several()); }

/// Awaits what fails like that. A cancel request passes through.
template <class Error, class Awaitable>
task<> expect_error(Awaitable awaited) {
  try {
    co_await std::move(awaited);
    ADD_FAILURE() << "it does not fail";
  } catch (const Error&) {
  }
}

// The scenarios.

task<> gather_tuple() {
  const auto [a, b, c] = co_await magpie::gather(work(1), work_and_clean_up(2), work(3));
  EXPECT_EQ(a + b + c, 6);
}

task<> gather_vector() {
  const auto all = co_await magpie::gather(several());
  EXPECT_EQ(all, up_to(4));
}

task<> gather_failing() {
  co_await expect_error<std::runtime_error>(
      magpie::gather(work(1), work_and_fail(2), work_and_clean_up(3)));
}

task<> gather_outcomes() {
  const auto [a, b] = co_await magpie::gather(magpie::return_exceptions, work(1), work_and_fail(2));
  EXPECT_EQ(a.value(), 1);
  EXPECT_TRUE(b.error() != nullptr);
}

task<> gather_handles() {
  const auto all = co_await magpie::gather(several_spawned());
  EXPECT_EQ(all, up_to(4));
}

template <magpie::until when>
task<> wait_for_some() {
  const auto handles = several_spawned();
  const auto [done, pending] = co_await magpie::wait(handles, when, 3ms);
  EXPECT_EQ(done.size() + pending.size(), handles.size());
  EXPECT_FALSE(done.empty());
}

task<> take_as_completed() {
  auto finished = magpie::as_completed(several_spawned(), 1h);
  int sum = 0;
  while (const auto next = co_await finished.next()) sum += next->result();
  EXPECT_EQ(sum, 10);
}

task<> race() {
  const int first = co_await magpie::race(work(3), work_and_clean_up(2), work(1));
  EXPECT_EQ(first, 1);
}

task<> race_of_handles() {
  const int first = co_await magpie::race(magpie::spawn(work(3)), magpie::spawn(work(1)));
  EXPECT_EQ(first, 1);
}

task<> first_success() {
  const int first = co_await magpie::first_success(work_and_fail(1), work(2), work(4));
  EXPECT_EQ(first, 2);
}

task<> hedge() {
  const auto attempt = [](std::size_t index) { return work(5 - 2 * static_cast<int>(index)); };
  const int first = co_await magpie::hedge({.delay = 1ms, .attempts = 3}, attempt);
  EXPECT_EQ(first, 1);
}

task<> task_group() {
  const auto body = [](magpie::task_group& group) -> task<int> {
    group.spawn(work(1));
    group.spawn(work_and_clean_up(3));
    co_return co_await group.spawn(work(2));
  };
  EXPECT_EQ(co_await magpie::with_task_group(body), 2);
}

/// Without a body: it waits nowhere but in the join.
task<> joined_group() {
  magpie::task_group group;
  const auto one = group.spawn(work(1));
  group.spawn(work_and_clean_up(2));
  co_await group.join();
  EXPECT_EQ(one.result(), 1);
}

task<> nested_groups() {
  const auto inner = [](magpie::task_group& group) -> task<> {
    group.spawn(work_and_clean_up(2));
    co_await work(1);
  };
  const auto outer = [&inner](magpie::task_group& group) -> task<> {
    group.spawn(magpie::with_task_group(inner));
    co_await magpie::gather(magpie::with_task_group(inner), work(3));
  };
  co_await magpie::with_task_group(outer);
}

task<> limits() {
  EXPECT_EQ(co_await magpie::wait_for(work(1), 1h), 1);
  co_await expect_error<magpie::timeout_error>(magpie::wait_for(work_and_clean_up(5), 2ms));
  const auto body = [](magpie::timeout_scope&) -> task<> {
    co_await magpie::gather(work(1), magpie::wait_for(work(2), 1h));
  };
  co_await magpie::with_timeout(1h, body);
}

task<> shield() {
  EXPECT_EQ(co_await magpie::shield(work(2)), 2);
  co_await expect_error<magpie::timeout_error>(magpie::wait_for(magpie::shield(work(5)), 1ms));
}

task<> retry() {
  int attempts = 0;
  const auto attempt = [&attempts] {
    ++attempts;
    return attempts < 3 ? work_and_fail(1) : work(2);
  };
  const magpie::retry_options options{
      .attempts = 4, .timeout = 1s, .total = 1h, .backoff = magpie::constant(1ms)};
  EXPECT_EQ(co_await magpie::retry(options, attempt), 2);
}

task<> limit_concurrency() {
  EXPECT_EQ(co_await magpie::limit_concurrency(2, several()), up_to(4));
  EXPECT_EQ(co_await magpie::map_concurrent(up_to(3), 2, work), up_to(3));
}

task<> map_unordered() {
  auto results = magpie::map_unordered(up_to(4), 2, work_and_clean_up);
  int sum = 0;
  while (const auto next = co_await results.next()) sum += *next;
  EXPECT_EQ(sum, 10);
}

task<> limit_rate() {
  EXPECT_EQ(co_await magpie::limit_rate(magpie::rate{2, 2ms}, several()), up_to(4));
}

task<> batches() {
  const auto results =
      co_await magpie::batch(up_to(5), {.size = 2, .pause = 1ms}, work_and_clean_up);
  EXPECT_EQ(results, (up_to(5)));
}

task<> batcher() {
  const auto flush = [](items wanted) -> task<items> {
    const counted local;
    co_await magpie::sleep_for(1ms);
    co_return wanted;
  };
  magpie::batcher<int, int> doubled({.size = 2, .delay = 2ms}, flush);
  const auto [a, b, c] =
      co_await magpie::gather(doubled.submit(1), doubled.submit(2), doubled.submit(3));
  EXPECT_EQ(a + b + c, 6);
}

task<> flow() {
  magpie::semaphore two(2);
  magpie::rate_limiter calls(magpie::rate{1, 1ms});
  const auto use = [&](int number) -> task<> {
    const magpie::permit held = co_await two.acquire();
    co_await calls.acquire();
    co_await work(number);
  };
  co_await magpie::gather(use(1), use(2), use(1), use(3));
  EXPECT_EQ(two.available(), 2);
}

/// Everything in everything.
task<> nested() {
  const auto inner = [] { return magpie::first_success(work_and_fail(1), work(2)); };
  const auto attempt = [&inner] { return magpie::race(inner(), work_and_clean_up(4)); };
  const auto limited = [&attempt] { return magpie::retry({.attempts = 2}, attempt); };
  const auto body = [&limited](magpie::task_group& group) -> task<> {
    group.spawn(magpie::shield(work(2)));
    const auto handle = group.spawn(limited());
    const auto [first, second] = co_await magpie::gather(magpie::wait_for(handle, 1h),
                                                         magpie::map_concurrent(up_to(2), 1, work));
    EXPECT_EQ(first, 2);
    EXPECT_EQ(second, up_to(2));
  };
  co_await magpie::with_task_group(body);
}

/// A scenario, and whether tasks that it has spawned go on when it is cancelled.
struct scenario {
  enum class others : unsigned char { have_ended, go_on };

  const char* name;
  task<> (*run)();
  others what_else = others::have_ended;

  friend std::ostream& operator<<(std::ostream& to, const scenario& printed) {
    return to << printed.name;
  }
};

class cancel_sweep : public testing::TestWithParam<scenario> {
 protected:
  /// Runs the scenario, cancelled after this many steps. Returns false if it had ended by then.
  [[nodiscard]] static bool cancel_after(std::size_t steps, std::uint64_t seed) {
    const scenario& tested = GetParam();
    magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time, .seed = seed}};
    const auto task = runtime.spawn(tested.run());
    for (std::size_t i = 0; i < steps && !task.done(); ++i) drive(runtime);
    const bool is_in_time = task.cancel("swept");
    EXPECT_EQ(is_in_time, !task.done());
    for (std::size_t i = 0; !task.done(); ++i) {
      if (i == 10'000) {
        ADD_FAILURE() << "stuck:\n" << runtime.report().text();
        return false;
      }
      drive(runtime);
    }
    EXPECT_EQ(task.cancelled(), is_in_time);
    if (is_in_time) {
      // A timeout that expires during the clean-up gives no reason, and that one is thrown last.
      const std::string reason = magpie::test::reason_of(task);
      EXPECT_TRUE(reason == "swept" || (reason.empty() && tested.run == &limits)) << reason;
    } else {
      EXPECT_NO_THROW(task.result());
    }
    if (tested.what_else == scenario::others::go_on) {
      runtime.run_for(1h);
    } else {
      EXPECT_EQ(counted::alive(), 0) << "no loser lives on\n" << runtime.report().text();
      runtime.run_until_idle();  // the tasks of the library's own
    }
    EXPECT_EQ(runtime.report().text(), "");
    EXPECT_EQ(counted::alive(), 0);
    return is_in_time;
  }
};

TEST_P(cancel_sweep, leaves_nothing_behind_at_any_step) {
  std::size_t steps_in_all = 0;
  for (std::uint64_t seed = 0; seed <= 20; ++seed) {
    const std::size_t frames_before = magpie::frame_statistics().live;
    for (std::size_t steps = 0;; ++steps) {
      const bool is_in_time = cancel_after(steps, seed);
      ASSERT_FALSE(HasFailure()) << "seed " << seed << ", cancelled after " << steps << " steps";
      if (!is_in_time) break;
      ++steps_in_all;
    }
    EXPECT_EQ(magpie::frame_statistics().live, frames_before) << "seed " << seed;
  }
  EXPECT_GT(steps_in_all, 21U * 3) << "some steps with each seed";
}

constexpr auto go_on = scenario::others::go_on;
using magpie::until;

INSTANTIATE_TEST_SUITE_P(
    of, cancel_sweep,
    testing::Values(
        scenario{"gather_tuple", &gather_tuple}, scenario{"gather_vector", &gather_vector},
        scenario{"gather_failing", &gather_failing}, scenario{"gather_outcomes", &gather_outcomes},
        scenario{"gather_handles", &gather_handles},
        scenario{"wait_first", &wait_for_some<until::first_completed>, go_on},
        scenario{"wait_exception", &wait_for_some<until::first_exception>, go_on},
        scenario{"wait_all", &wait_for_some<until::all_completed>, go_on},
        scenario{"as_completed", &take_as_completed, go_on}, scenario{"race", &race},
        scenario{"race_of_handles", &race_of_handles}, scenario{"first_success", &first_success},
        scenario{"hedge", &hedge}, scenario{"task_group", &task_group},
        scenario{"joined_group", &joined_group}, scenario{"nested_groups", &nested_groups},
        scenario{"limits", &limits}, scenario{"shield", &shield, go_on}, scenario{"retry", &retry},
        scenario{"limit_concurrency", &limit_concurrency},
        scenario{"map_unordered", &map_unordered, go_on}, scenario{"limit_rate", &limit_rate},
        scenario{"batches", &batches}, scenario{"batcher", &batcher, go_on},
        scenario{"flow", &flow}, scenario{"nested", &nested, go_on}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
