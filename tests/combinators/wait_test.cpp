#include <magpie/wait.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/frame_statistics.hpp>
#include <magpie/magpie.hpp>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/eventually.hpp"
#include "support/handles.hpp"
#include "support/reports.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::any_task_handle;
using magpie::task_handle;
using magpie::until;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after;
using magpie::test::give_when;
using magpie::test::handles_of_int;
using magpie::test::reason_of;
using magpie::test::scaled;
using magpie::test::sleep_and_give;
using magpie::test::stop;
using magpie::test::wait_until_done;

class wait : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(wait);

class wait_reports : public magpie::test::reporting {};
MAGPIE_FOR_EACH_RUNTIME(wait_reports);

// These two end when they are cancelled.

magpie::task<int> give_when_told(int value) {
  co_await magpie::test::swallow();
  co_return value;
}

magpie::task<int> fail_when_told() {
  co_await magpie::test::swallow();
  throw std::runtime_error("told");
}

/// So that a body that fails an assertion ends the test, not the program.
template <class Body>
void run(magpie::runtime& runtime, const Body& body) {
  runtime.block_on(body());
}

template <class Handle>
bool is_in(const Handle& handle, const std::vector<Handle>& all) {
  return std::ranges::count(all, handle) == 1;
}

// Rule 38: returns done and pending, every handle in exactly one; no timeout error.

TEST_P(wait, for_all_gives_all) {
  run(runtime, [&]() -> magpie::task<> {
    handles_of_int all;
    for (int i = 0; i < 100; ++i) all.push_back(magpie::spawn(give_after(i % 7 * 10us, i)));
    const auto found = co_await magpie::wait(all);
    EXPECT_EQ(found.done.size(), 100U);
    EXPECT_TRUE(found.pending.empty());
    int sum = 0;
    for (const auto& each : found.done) sum += each.result();
    EXPECT_EQ(sum, 4950);
  });
}

TEST_P(wait, gives_what_has_ended_in_the_time_and_what_has_not) {
  run(runtime, [&]() -> magpie::task<> {
    const auto quick = magpie::spawn(give_after(1ms, 1));
    const auto slow = magpie::spawn(sleep_and_give(2));
    handles_of_int both{slow, quick};
    auto found = co_await magpie::wait(std::move(both), until::all_completed, 50ms);
    while (!is_virtual() && found.done.empty()) {  // real workers may be late
      both = {slow, quick};
      found = co_await magpie::wait(std::move(both), until::all_completed, 50ms);
    }
    EXPECT_EQ(found.done, handles_of_int{quick});
    EXPECT_EQ(found.pending, handles_of_int{slow});
    slow.cancel();
  });
}

TEST_P(wait, keeps_the_order_of_the_input) {
  if (!is_virtual()) GTEST_SKIP() << "needs exact times";
  run(runtime, [&]() -> magpie::task<> {
    const auto third = magpie::spawn(give_after(3h, 1));
    const auto first = magpie::spawn(give_after(1h, 1));
    const auto second = magpie::spawn(give_after(2h, 1));
    const auto never = magpie::spawn(sleep_and_give(1));
    const handles_of_int all{third, never, first, second};
    const auto start = magpie::now();
    const auto found = co_await magpie::wait(all, until::all_completed, 5h);
    EXPECT_EQ(magpie::now() - start, 5h);
    EXPECT_EQ(found.done, (handles_of_int{third, first, second}));
    EXPECT_EQ(found.pending, handles_of_int{never});
    never.cancel();
  });
}

TEST_P(wait, without_time_looks_and_lets_others_go_first) {
  run(runtime, [&]() -> magpie::task<> {
    const auto ended = magpie::spawn(give(1));
    co_await ended;
    const auto running = magpie::spawn(sleep_and_give(2));
    const handles_of_int both{ended, running};
    const auto found = co_await magpie::wait(both, until::all_completed, 0s);
    EXPECT_EQ(found.done, handles_of_int{ended});
    EXPECT_EQ(found.pending, handles_of_int{running});
    const auto other = magpie::spawn(give(3));
    const handles_of_int one{other};
    auto last = co_await magpie::wait(one, until::all_completed, -1s);
    while (last.done.empty()) last = co_await magpie::wait(one, until::all_completed, 0s);
    running.cancel();
  });
}

TEST_P(wait, takes_handles_of_any_types_and_any_range) {
  run(runtime, [&]() -> magpie::task<> {
    const std::vector<any_task_handle> mixed{magpie::spawn(give(1)),
                                             magpie::spawn(magpie::test::stop("x"))};
    const auto found = co_await magpie::wait(mixed);
    EXPECT_EQ(found.done.size(), 2U);
    const auto made = co_await magpie::wait(
        std::views::iota(0, 5) |
            std::views::transform([](int i) { return magpie::spawn(give(i)); }),
        until::all_completed);
    EXPECT_EQ(made.done.size(), 5U);
  });
}

// Rule 39: neither its timeout nor cancelling the waiter cancels the tasks.

TEST_P(wait, that_is_cancelled_ends_at_once_and_leaves_the_tasks) {
  std::atomic<bool> open{false};
  const auto task = runtime.spawn(give_when(open, 1));
  const auto waits = [&]() -> magpie::task<> {
    const handles_of_int one{task};
    co_await magpie::wait(one, until::all_completed, 1000h);
    ADD_FAILURE() << "went on";
  };
  for (int i = 0; i < 2; ++i) {
    const auto waiter = runtime.spawn(waits());
    for (int rounds = 0; rounds < 50 && i == 1; ++rounds) {
      if (is_virtual()) runtime.poll_one();
    }
    EXPECT_TRUE(waiter.cancel("enough"));
    ASSERT_TRUE(ends(waiter));
    EXPECT_TRUE(waiter.cancelled());
    EXPECT_FALSE(task.done());
  }
  EXPECT_EQ(task.cancelling(), 0U);
  open = true;
  ASSERT_TRUE(ends(task));
  EXPECT_EQ(task.result(), 1);
}

TEST_P(wait, whose_time_is_over_leaves_the_tasks) {
  const auto task = runtime.spawn(sleep_and_give(1));
  run(runtime, [&]() -> magpie::task<> {
    const handles_of_int one{task};
    const auto found = co_await magpie::wait(one, until::first_completed, 1ms);
    EXPECT_EQ(found.pending, one);
  });
  EXPECT_EQ(task.cancelling(), 0U);
  EXPECT_FALSE(task.done());
  task.cancel();
  ASSERT_TRUE(ends(task));
}

TEST_P(wait, that_was_cancelled_before_it_began_throws) {
  const auto task = runtime.spawn(sleep_and_give(1));
  const auto waiter = runtime.spawn([](task_handle<int> watched) -> magpie::task<> {
    magpie::current_task().cancel("before");
    const handles_of_int one{watched};
    co_await magpie::wait(one);
    ADD_FAILURE() << "went on";
  }(task));
  ASSERT_TRUE(ends(waiter));
  EXPECT_EQ(reason_of(waiter), "before");
  EXPECT_FALSE(task.done());
  task.cancel();
}

// Rule 40: the first may be several; cancelled tasks are no exceptions; what has ended counts.

TEST_P(wait, for_the_first_counts_all_that_have_ended) {
  run(runtime, [&]() -> magpie::task<> {
    const auto one = magpie::spawn(give(1));
    const auto two = magpie::spawn(give(2));
    const auto slow = magpie::spawn(sleep_and_give(3));
    co_await two;
    co_await one;
    const handles_of_int all{slow, one, two};
    const auto found = co_await magpie::wait(all, until::first_completed);
    EXPECT_EQ(found.done, (handles_of_int{one, two}));
    EXPECT_EQ(found.pending, handles_of_int{slow});
    slow.cancel();
  });
}

TEST_P(wait, for_the_first_ends_with_it) {
  run(runtime, [&]() -> magpie::task<> {
    const auto slow = magpie::spawn(sleep_and_give(1));
    const auto stopped = magpie::spawn(sleep_and_give(2));
    const auto stopper = magpie::spawn([](task_handle<int> other) -> magpie::task<> {
      co_await magpie::sleep_for(1ms);
      other.cancel();
    }(stopped));
    const handles_of_int both{slow, stopped};
    const auto found = co_await magpie::wait(both, until::first_completed);
    EXPECT_EQ(found.done, handles_of_int{stopped});
    EXPECT_TRUE(found.done.front().cancelled());
    EXPECT_EQ(found.pending, handles_of_int{slow});
    slow.cancel();
  });
}

TEST_P(wait_reports, for_the_first_exception_ends_with_it_and_observes_nothing) {
  const auto slow = runtime.spawn(sleep_and_give(1));
  const auto stopped = runtime.spawn(sleep_and_give(2));
  const auto ended = runtime.spawn(give_when_told(3));
  {
    const auto failing = runtime.spawn(fail_when_told(), {.name = "failing"});
    const handles_of_int all{slow, stopped, ended, failing};
    const auto wait_for_all = [&]() -> magpie::task<magpie::wait_result<task_handle<int>>> {
      auto found = co_await magpie::wait(all, until::first_exception);
      co_return found;
    };
    const auto waiter = runtime.spawn(wait_for_all());
    ASSERT_TRUE(magpie::test::nothing_runs(runtime));
    EXPECT_TRUE(stopped.cancel());
    EXPECT_TRUE(ended.cancel());
    // Not only have both ended then, but the wait has heard of it.
    ASSERT_TRUE(magpie::test::nothing_runs(runtime));
    EXPECT_TRUE(stopped.cancelled());
    EXPECT_TRUE(ended.done());
    EXPECT_FALSE(waiter.done()) << "neither is an exception";
    EXPECT_TRUE(failing.cancel());
    ASSERT_TRUE(ends(waiter));
    const auto& found = waiter.result();
    EXPECT_EQ(found.done.size(), 3U);
    EXPECT_EQ(found.done.back(), failing);
    EXPECT_EQ(found.pending, handles_of_int{slow});
    const auto again = runtime.block_on(wait_for_all());
    EXPECT_TRUE(is_in(failing, again.done)) << "what has failed already counts";
  }
  slow.cancel();
  EXPECT_TRUE(eventually([] { return !magpie::test::reports::take().empty(); }));
}

TEST_P(wait, for_the_first_exception_is_for_all_if_none_fails) {
  run(runtime, [&]() -> magpie::task<> {
    const handles_of_int all{magpie::spawn(give_after(1ms, 1)), magpie::spawn(stop("not counted")),
                             magpie::spawn(give(2))};
    const auto found = co_await magpie::wait(all, until::first_exception);
    EXPECT_EQ(found.done.size(), 3U);
  });
}

// Rule 41: an empty set is an error; handles given twice collapse. And no task waits for itself.

TEST_P(wait, for_nothing_is_an_error) {
  run(runtime, [&]() -> magpie::task<> {
    bool refused = false;
    try {
      co_await magpie::wait(handles_of_int());
    } catch (const magpie::invalid_state&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
  });
}

TEST_P(wait, counts_a_handle_once_that_is_given_twice) {
  run(runtime, [&]() -> magpie::task<> {
    const auto slow = magpie::spawn(sleep_and_give(1));
    const auto quick = magpie::spawn(give(2));
    const handles_of_int all{slow, quick, slow, quick, quick, slow};
    const auto found = co_await magpie::wait(all, until::first_completed);
    EXPECT_EQ(found.done, handles_of_int{quick});
    EXPECT_EQ(found.pending, handles_of_int{slow});
    slow.cancel();
  });
}

TEST_P(wait, for_oneself_is_an_error) {
  const auto other = runtime.spawn(sleep_and_give(1));
  run(runtime, [&]() -> magpie::task<> {
    bool refused = false;
    const std::vector<any_task_handle> both{other, magpie::current_task()};
    try {
      co_await magpie::wait(both);
    } catch (const magpie::invalid_state&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
  });
  other.cancel();
}

// Rule 42: nothing stays registered.

TEST_P(wait, on_one_long_task_many_times_does_not_grow) {
  const auto task = runtime.spawn(sleep_and_give(1));
  std::size_t before = 0;
  std::size_t after = 0;
  run(runtime, [&]() -> magpie::task<> {
    const std::size_t rounds = scaled(1'000'000);
    for (std::size_t i = 0; i < rounds; ++i) {
      const auto quick = magpie::spawn(give(1));
      const handles_of_int both{task, quick};
      const auto found = co_await magpie::wait(both, until::first_completed);
      EXPECT_EQ(found.done, handles_of_int{quick});
      if (i == rounds / 2) before = magpie::frame_statistics().live;
    }
    after = magpie::frame_statistics().live;
  });
  EXPECT_LE(after, before + 64);
  EXPECT_TRUE(task.cancel());
  ASSERT_TRUE(ends(task));
}

TEST_P(wait, tells_what_it_waits_for) {
  const auto task = runtime.spawn(sleep_and_give(1));
  const auto waiter = runtime.spawn([](task_handle<int> watched) -> magpie::task<> {
    const handles_of_int one{watched};
    co_await magpie::wait(one);
  }(task));
  ASSERT_TRUE(nothing_runs());
  EXPECT_EQ(waiter.waiting_for(), "watched task \"" + task.name() + "\"");
  task.cancel();
  ASSERT_TRUE(ends(waiter));
}

}  // namespace
