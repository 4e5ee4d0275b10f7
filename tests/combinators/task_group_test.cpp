#include <magpie/task_group.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <magpie/frame_statistics.hpp>
#include <magpie/magpie.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/reports.hpp"
#include "support/scale.hpp"
#include "support/tally.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::task_group;
using magpie::with_task_group;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::reason_of;
using magpie::test::scaled;
using magpie::test::sleep_and_give;
using magpie::test::stop;
using magpie::test::tally;

magpie::task<> sleep_long() { co_await magpie::sleep_for(1000h); }

/// When so many others have begun.
magpie::task<> fail_after(tally& others, int count, std::string what) {
  co_await others.until_begun(count);
  throw std::runtime_error(what);
}

/// Sleeps until it is told to end, cleans up, counts itself, and ends as cancelled, or by `error`.
magpie::task<> clean_up(tally& ended, std::string error, counted) {
  std::exception_ptr stopped;
  ++ended.begun;
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled&) {
    stopped = std::current_exception();
  }
  for (int i = 0; i < 10; ++i) co_await magpie::yield();
  co_await magpie::sleep_for(100us);
  ++ended.ended;
  if (!error.empty()) throw std::runtime_error(error);
  std::rethrow_exception(std::move(stopped));
}

/// What comes of a group: "left", what() of a group of errors, or "cancelled" with the reason.
/// After that the task may wait, unless `told` says what it is told then.
template <class Body>
magpie::task<std::string> outcome(Body& body, std::string* told = nullptr) {
  std::string result = "left";
  try {
    co_await with_task_group(std::ref(body));
  } catch (const magpie::exception_group& errors) {
    result = errors.what();
  } catch (const magpie::cancelled& stopped) {
    result = "cancelled: " + stopped.reason();
  }
  try {
    co_await magpie::yield();
    co_await magpie::sleep_for(1us);
  } catch (const magpie::cancelled& stopped) {
    if (told == nullptr) {
      ADD_FAILURE() << "told once more";
    } else {
      *told = stopped.reason();
    }
  }
  if (told == nullptr && result.rfind("cancelled", 0) != 0) {
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
  }
  co_return result;
}

class task_groups : public magpie::test::cancelling {
 protected:
  ~task_groups() override { EXPECT_EQ(counted::alive(), 0); }

  template <class Body>
  std::string outcome_of(Body& body) {
    return runtime.block_on(outcome(body));
  }
};
MAGPIE_FOR_EACH_RUNTIME(task_groups);

class task_groups_with_threads : public task_groups {};
MAGPIE_FOR_EACH_WORKER_COUNT(task_groups_with_threads);

class reporting_task_groups : public magpie::test::reporting {};
MAGPIE_FOR_EACH_RUNTIME(reporting_task_groups);

// Rule 59: left only when all have ended, those spawned by children included.

TEST_P(task_groups, are_left_when_all_children_are_done) {
  struct tree {
    static magpie::task<> grow(task_group& group, std::atomic<int>& ended, int levels) {
      if (levels != 0) {
        for (int i = 0; i < 3; ++i) group.spawn(grow(group, ended, levels - 1));
      }
      co_await magpie::yield();
      co_await magpie::sleep_for(50us);
      ++ended;
    }
  };
  std::atomic<int> ended{0};
  const auto run = [&]() -> magpie::task<> {
    magpie::task_handle<int> kept;
    const auto body = [&](task_group& group) -> magpie::task<> {
      group.spawn(tree::grow(group, ended, 4));
      kept = group.spawn(give(3), {.name = "three"});
      co_return;
    };
    co_await with_task_group(body);
    EXPECT_EQ(ended, 121);
    EXPECT_TRUE(kept.done());
    EXPECT_EQ(kept.result(), 3);
    EXPECT_EQ(kept.name(), "three");
  };
  runtime.block_on(run());
}

TEST_P(task_groups, give_what_the_body_gives) {
  int place = 1;
  const auto refer = [&](task_group&) -> magpie::task<int&> { co_return place; };
  const auto own = [](task_group& group) -> magpie::task<std::unique_ptr<int>> {
    const auto child = group.spawn(give(4));
    const int value = co_await child;
    co_return std::make_unique<int>(value);
  };
  const auto plain = [](task_group& group) {
    group.spawn(give(1));
    return give(5);
  };
  const auto run = [&]() -> magpie::task<> {
    int& referred = co_await with_task_group(refer);
    EXPECT_EQ(&referred, &place);
    const auto owned = co_await with_task_group(own);
    EXPECT_EQ(*owned, 4);
    const int five = co_await with_task_group(plain);
    EXPECT_EQ(five, 5);
  };
  runtime.block_on(run());
}

TEST_P(task_groups, leave_results_to_who_has_the_handle) {
  const auto own = [](int value) -> magpie::task<std::unique_ptr<int>> {
    co_await magpie::yield();
    co_return std::make_unique<int>(value);
  };
  const auto run = [&]() -> magpie::task<> {
    for (int i = 0; i < 200; ++i) {
      magpie::task_handle<std::unique_ptr<int>> later;
      const auto body = [&](task_group& group) -> magpie::task<> {
        later = group.spawn(own(i));
        auto now = group.spawn(own(i));
        while (!now.done()) co_await magpie::yield();
        const auto value = co_await std::move(now);
        EXPECT_EQ(*value, i);
      };
      co_await with_task_group(body);
      const auto value = co_await std::move(later);
      EXPECT_EQ(*value, i);
    }
  };
  runtime.block_on(run());
}

// Rule 1: its group is there before a child can run. Rule 67: a child that fails before spawn
// returns counts.

TEST_P(task_groups, count_a_child_that_ends_at_once) {
  for (int i = 0; i < 50; ++i) {
    const auto body = [](task_group& group) -> magpie::task<> {
      group.spawn(fail("at once"));
      co_return;
    };
    EXPECT_EQ(outcome_of(body), "1 error: at once");
  }
}

// Rule 60: a cancelled child does not fail the group.

TEST_P(task_groups, do_not_mind_a_cancelled_child) {
  std::atomic<bool> sibling_ended{false};
  const auto sibling = [&]() -> magpie::task<> {
    co_await magpie::sleep_for(1ms);
    sibling_ended = true;
  };
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(sibling());
    group.spawn(sleep_long()).cancel();
    group.spawn(stop("of itself"));
    const auto slept = group.spawn(sleep_long());
    co_await magpie::sleep_for(100us);
    EXPECT_TRUE(slept.cancel());
  };
  EXPECT_EQ(outcome_of(body), "left");
  EXPECT_TRUE(sibling_ended);
}

// Rule 61: the first failure cancels siblings and body; all are awaited; then a group of all errors
// in order, the body's own last. Rule 64: cancelling() is 0 after, which outcome() looks at.

TEST_P(task_groups, are_ended_by_the_first_failure) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    for (int i = 0; i < 20; ++i) group.spawn(clean_up(ended, "", counted()));
    group.spawn(fail_after(ended, 21, "first"));
    co_await clean_up(ended, "", counted());
  };
  EXPECT_EQ(outcome_of(body), "1 error: first");
  EXPECT_EQ(ended, 21);
}

TEST_P(task_groups, collect_all_errors_in_order_and_the_body_s_own_last) {
  tally ended;
  const auto late = [&]() -> magpie::task<> {
    ++ended.begun;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
    }
    while (ended != 2) co_await magpie::sleep_for(50us);
    throw std::logic_error("last child");
  };
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(late());
    group.spawn(clean_up(ended, "cleaning up", counted()));
    group.spawn(fail_after(ended, 3, "first"));
    co_await clean_up(ended, "body", counted());
  };
  EXPECT_EQ(outcome_of(body), "4 errors: first; cleaning up; last child; body");
}

TEST_P(task_groups, keep_the_first_failure_first) {
  // A sibling that fails while the others are still being told.
  for (int round = 0; round < 50; ++round) {
    const auto fail_when_told = []() -> magpie::task<> {
      try {
        co_await magpie::sleep_for(1000h);
      } catch (const magpie::cancelled&) {
        throw std::runtime_error("told");
      }
    };
    const auto body = [&](task_group& group) -> magpie::task<> {
      for (int i = 0; i < 3; ++i) group.spawn(fail_when_told());
      co_await magpie::sleep_for(20us);
      group.spawn(fail("first"));
      co_await magpie::sleep_for(1000h);
    };
    const std::string errors = outcome_of(body);
    EXPECT_EQ(errors.find("first"), errors.find(": ") + 2) << errors;
  }
}

// Rule 62: an error of the body cancels the children and joins the group.

TEST_P(task_groups, are_ended_by_an_error_of_the_body) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    group.spawn(clean_up(ended, "child", counted()));
    co_await ended.until_begun(2);
    throw std::runtime_error("body");
  };
  EXPECT_EQ(outcome_of(body), "2 errors: child; body");
  EXPECT_EQ(ended, 2);
}

TEST_P(task_groups, are_ended_by_what_is_thrown_in_place_of_a_body) {
  tally ended;
  const auto throw_after_spawn = [&](task_group& group, auto thrown) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    throw thrown;
  };
  const auto fails = [&](task_group& group) {
    return throw_after_spawn(group, std::runtime_error("no body"));
  };
  EXPECT_EQ(outcome_of(fails), "1 error: no body");
  const auto is_cancelled = [&](task_group& group) {
    return throw_after_spawn(group, magpie::cancelled("no body"));
  };
  EXPECT_EQ(outcome_of(is_cancelled), "cancelled: no body");
}

// Rule 63: cancelled from outside. The errors of children outrank that, and then the parent stays
// cancelled.

TEST_P(task_groups, pass_a_cancellation_on_while_the_body_runs) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    co_await clean_up(ended, "", counted());
  };
  const auto handle = runtime.spawn(outcome(body));
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "cancelled: enough");
  EXPECT_EQ(ended, 2);
}

TEST_P(task_groups, pass_a_cancellation_on_while_they_wait_for_children) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    group.spawn(clean_up(ended, "", counted()));
    co_return;
  };
  const auto handle = runtime.spawn(outcome(body));
  ASSERT_TRUE(nothing_runs());
  EXPECT_EQ(handle.waiting_for(), "task group");
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "cancelled: enough");
  EXPECT_EQ(ended, 2);
}

TEST_P(task_groups, throw_errors_first_and_leave_the_parent_cancelled) {
  for (const bool in_body : {true, false}) {
    tally ended;
    std::string told;
    const auto body = [&](task_group& group) -> magpie::task<> {
      group.spawn(clean_up(ended, "child", counted()));
      if (in_body) co_await magpie::sleep_for(1000h);
    };
    const auto handle = runtime.spawn(outcome(body, &told));
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(handle.cancel("enough"));
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(handle.result(), "1 error: child");
    EXPECT_EQ(handle.cancelling(), 1U) << "counted once";
    EXPECT_EQ(told, "enough");
  }
}

TEST_P(task_groups, throw_errors_first_within_a_timeout_too) {
  tally ended;
  std::string result;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "child", counted()));
    co_return;
  };
  const auto limited = [&](magpie::timeout_scope& scope) -> magpie::task<> {
    try {
      co_await with_task_group(std::ref(body));
    } catch (const magpie::exception_group& errors) {
      result = errors.what();
    }
    EXPECT_TRUE(scope.expired());
    co_await magpie::sleep_for(1000h);
  };
  const auto run = [&]() -> magpie::task<> { co_await magpie::with_timeout(1ms, limited); };
  EXPECT_THROW(runtime.block_on(run()), magpie::timeout_error);
  EXPECT_EQ(result, "1 error: child");
}

TEST_P(task_groups, throw_errors_first_as_a_child_of_a_gather_too) {
  tally ended;
  std::string told;
  std::string result;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "child", counted()));
    co_return;
  };
  const auto first = [&]() -> magpie::task<> { result = co_await outcome(body, &told); };
  const auto run = [&]() -> magpie::task<> { co_await magpie::gather(first(), sleep_long()); };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "enough");
  EXPECT_EQ(result, "1 error: child");
  EXPECT_EQ(told, "enough");
}

TEST_P(task_groups, pass_on_what_the_body_throws_as_cancelled) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.spawn(clean_up(ended, "", counted()));
    co_await ended.until_begun(1);
    co_await stop("not asked for");
  };
  EXPECT_EQ(outcome_of(body), "cancelled: not asked for");
  EXPECT_EQ(ended, 1);
}

// Rule 65: the error of an inner group is a group within a group.

TEST_P(task_groups, nest_their_errors) {
  const auto inner = [](task_group& group) -> magpie::task<> {
    group.spawn(fail("inner"));
    co_await magpie::sleep_for(1000h);
  };
  const auto in_child = [&]() -> magpie::task<> { co_await with_task_group(inner); };
  const auto outer = [&](task_group& group) -> magpie::task<> {
    group.spawn(in_child());
    co_await magpie::sleep_for(1000h);
  };
  EXPECT_EQ(outcome_of(outer), "1 error: (1 error: inner)");
  const auto in_body = [&](task_group&) -> magpie::task<> { co_await with_task_group(inner); };
  EXPECT_EQ(outcome_of(in_body), "1 error: (1 error: inner)");
}

// Rule 66: spawn is refused when the group is ending, and the task's frame destroyed.

TEST_P(task_groups, refuse_children_while_they_end) {
  std::atomic<bool> began{false};
  const auto begin = [&](counted) -> magpie::task<> {
    began = true;
    co_return;
  };
  const auto body = [&](task_group& group) -> magpie::task<> {
    group.cancel();
    EXPECT_THROW(group.spawn(begin(counted())), magpie::invalid_state);
    EXPECT_EQ(counted::alive(), 0);
    magpie::task<> moved = begin(counted());
    magpie::task<> other = std::move(moved);
    EXPECT_THROW(group.spawn(std::move(moved)), magpie::invalid_state);
    co_return;
  };
  EXPECT_EQ(outcome_of(body), "left");
  EXPECT_FALSE(began);
  const auto insist = [&](task_group& group) -> magpie::task<> {
    group.cancel();
    group.spawn(begin(counted()));
    co_return;
  };
  EXPECT_EQ(outcome_of(insist), "left") << "a refusal is no error of the group";
}

TEST_P(task_groups_with_threads, let_no_spawn_slip_past_the_last_join) {
  // Children that spawn each other until they are refused; all that were started have ended when
  // the group is left.
  struct swarm {
    static magpie::task<> live(task_group& group, std::atomic<int>& started,
                               std::atomic<int>& ended, counted) {
      for (int i = 0; i < 4; ++i) {
        group.spawn(live(group, started, ended, counted()));
        ++started;
        if (i == 2) co_await magpie::yield();
      }
      ++ended;
    }
  };
  for (std::size_t round = 0; round < scaled(2e3); ++round) {
    std::atomic<int> started{0};
    const auto run = [&]() -> magpie::task<> {
      std::atomic<int> ended{0};
      const auto body = [&](task_group& group) -> magpie::task<> {
        group.spawn(swarm::live(group, started, ended, counted()));
        while (started < 10) co_await magpie::yield();
        group.cancel();
      };
      co_await with_task_group(body);
      EXPECT_EQ(counted::alive(), 0);
    };
    runtime.block_on(run());
  }
}

TEST_P(task_groups_with_threads, take_children_from_any_thread) {
  std::atomic<int> ended{0};
  const auto count = [&]() -> magpie::task<> {
    ++ended;
    co_return;
  };
  std::vector<std::thread> threads;
  const auto body = [&](task_group& group) -> magpie::task<> {
    std::atomic<int> left{4};
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int spawned = 0; spawned < 500; ++spawned) group.spawn(count());
        --left;
      });
    }
    while (left != 0) co_await magpie::yield();
  };
  EXPECT_EQ(outcome_of(body), "left");
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(ended, 2000);
}

TEST_P(task_groups_with_threads, wait_for_a_cancel_from_another_thread_to_return) {
  for (std::size_t round = 0; round < scaled(5e3); ++round) {
    std::thread canceller;
    const auto body = [&](task_group& group) -> magpie::task<> {
      for (int i = 0; i < 5; ++i) group.spawn(sleep_long());
      canceller = std::thread([&group] { group.cancel(); });
      co_await magpie::sleep_for(1000h);
    };
    EXPECT_EQ(outcome_of(body), "left");
    canceller.join();
  }
}

// Rule 68: what has finished is released at once.

TEST_P(task_groups, do_not_grow_by_what_has_ended) {
  const auto body = [&](task_group& group) -> magpie::task<> {
    std::size_t blocks = 0;
    for (std::size_t i = 0; i < scaled(5e5); ++i) {
      const auto child = group.spawn(give(1));
      co_await child;
      if (i == 10) blocks = magpie::frame_statistics().live;
    }
    EXPECT_LE(magpie::frame_statistics().live, blocks + 2);
  };
  EXPECT_EQ(outcome_of(body), "left");
}

// Rule 69: cancel() ends it silently, and may be called again.

TEST_P(task_groups, are_cancelled_silently) {
  tally ended;
  const auto body = [&](task_group& group) -> magpie::task<> {
    const auto end_it = [&]() -> magpie::task<> {
      co_await ended.until_begun(1);
      group.cancel();
      group.cancel();
    };
    group.spawn(clean_up(ended, "", counted()));
    group.spawn(end_it());
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      group.cancel();
    }
    co_await magpie::sleep_for(100us);
    ++ended.ended;
  };
  EXPECT_EQ(outcome_of(body), "left");
  EXPECT_EQ(ended, 2);
}

TEST_P(task_groups, that_were_cancelled_have_no_result_to_give) {
  const auto body = [](task_group& group) -> magpie::task<int> {
    group.cancel();
    co_await magpie::sleep_for(1000h);
    co_return 1;
  };
  const auto nevertheless = [](task_group& group) -> magpie::task<int> {
    group.cancel();
    co_return 2;
  };
  EXPECT_THROW(runtime.block_on(with_task_group(body)), magpie::cancelled);
  EXPECT_EQ(runtime.block_on(with_task_group(nevertheless)), 2);
}

TEST_P(reporting_task_groups, observe_their_children_s_failures) {
  const auto body = [](task_group& group) -> magpie::task<> {
    group.spawn(fail("seen"), {.name = "child"});
    co_return;
  };
  EXPECT_THROW(runtime.block_on(with_task_group(body)), magpie::exception_group);
}

}  // namespace
