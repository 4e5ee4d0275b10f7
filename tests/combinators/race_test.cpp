#include <magpie/race.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <magpie/frame_statistics.hpp>
#include <magpie/gather.hpp>
#include <magpie/magpie.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/tally.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::race;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::reason_of;
using magpie::test::sleep_and_give;
using magpie::test::stop;
using magpie::test::tally;

class race_of_tasks : public magpie::test::leaving_nothing {};
MAGPIE_FOR_EACH_RUNTIME(race_of_tasks);

/// Sleeps until it is told to end, cleans up, counts itself, and throws or returns.
enum class answer { rethrows, returns, fails };
magpie::task<int> lose(tally& ended, answer last, counted) {
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
  if (last == answer::rethrows) std::rethrow_exception(std::move(stopped));
  if (last == answer::fails) throw std::runtime_error("a loser's own");
  co_return 7;
}

/// When so many losers have begun.
magpie::task<int> win_after(tally& losers, int count, int value) {
  co_await losers.until_begun(count);
  co_return value;
}

magpie::task<int> fail_after(tally& losers, int count) {
  co_await losers.until_begun(count);
  throw std::runtime_error("first");
}

// Rule 70: the first to complete wins, with a value or an error; the losers are cancelled and have
// ended before race returns; their errors are dropped.

TEST_P(race_of_tasks, gives_the_first_value_when_the_others_have_ended) {
  tally ended;
  const auto run = [&]() -> magpie::task<int> {
    const int first = co_await race(lose(ended, answer::rethrows, counted()),
                                    win_after(ended, 3, 3), lose(ended, answer::returns, counted()),
                                    lose(ended, answer::fails, counted()));
    EXPECT_EQ(ended, 3);
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    co_await magpie::yield();
    co_await magpie::sleep_for(1us);
    co_return first;
  };
  EXPECT_EQ(runtime.block_on(run()), 3);
}

TEST_P(race_of_tasks, throws_the_first_error_when_the_others_have_ended) {
  tally ended;
  const auto run = [&]() -> magpie::task<std::string> {
    std::string what;
    try {
      co_await race(lose(ended, answer::returns, counted()), fail_after(ended, 2),
                    lose(ended, answer::fails, counted()));
    } catch (const std::runtime_error& first) {
      what = first.what();
    }
    EXPECT_EQ(ended, 2);
    co_await magpie::yield();
    co_return what;
  };
  EXPECT_EQ(runtime.block_on(run()), "first");
}

TEST_P(race_of_tasks, of_a_vector_is_the_same) {
  tally ended;
  const auto run = [&]() -> magpie::task<int> {
    std::vector<magpie::task<int>> contenders;
    for (int i = 0; i < 40; ++i) contenders.push_back(lose(ended, answer::rethrows, counted()));
    contenders.push_back(win_after(ended, 40, 4));
    const int first = co_await race(std::move(contenders));
    EXPECT_EQ(ended, 40);
    co_return first;
  };
  const auto frames = magpie::frame_statistics().live;
  EXPECT_EQ(runtime.block_on(run()), 4);
  EXPECT_TRUE(magpie::test::eventually([&] { return magpie::frame_statistics().live == frames; }));
}

TEST_P(race_of_tasks, of_a_range_of_handles_cancels_also_what_nobody_has_awaited) {
  const auto run = [&]() -> magpie::task<int> {
    std::vector<magpie::task_handle<int>> contenders;
    contenders.push_back(magpie::spawn(give(1)));
    co_await magpie::wait(contenders);
    for (int i = 0; i < 3; ++i) contenders.push_back(magpie::spawn(sleep_and_give(2)));
    const int first = co_await race(contenders);
    for (std::size_t i = 1; i < contenders.size(); ++i) EXPECT_TRUE(contenders[i].cancelled());
    co_return first;
  };
  EXPECT_EQ(runtime.block_on(run()), 1);
}

TEST_P(race_of_tasks, drops_a_million_that_come_too_late) {
  const auto run = []() -> magpie::task<int> {
    std::vector<magpie::task<int>> contenders;
    for (int i = 0; i < 1'000'000; ++i) contenders.push_back(give(i));
    const int first = co_await race(std::move(contenders));
    co_return first;
  };
  EXPECT_GE(runtime.block_on(run()), 0);
}

TEST_P(race_of_tasks, is_won_by_a_contender_that_ends_as_cancelled) {
  tally ended;
  const auto run = [&]() -> magpie::task<std::string> {
    std::string reason;
    try {
      co_await race(stop("of itself"), lose(ended, answer::rethrows, counted()));
    } catch (const magpie::cancelled& stopped) {
      reason = stopped.reason();
    }
    co_await magpie::yield();
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    co_return reason;
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(handle.result(), "of itself");
}

TEST_P(race_of_tasks, does_not_begin_what_comes_too_late) {
  if (GetParam() != 1) GTEST_SKIP() << "elsewhere they may begin together";
  bool began = false;
  const auto begin = [&](counted) -> magpie::task<int> {
    began = true;
    co_return 2;
  };
  const auto run = [&]() -> magpie::task<int> {
    const int first = co_await race(give(1), begin(counted()));
    co_return first;
  };
  EXPECT_EQ(runtime.block_on(run()), 1);
  EXPECT_FALSE(began);
}

TEST_P(race_of_tasks, gives_a_variant_of_different_types) {
  int place = 5;
  const auto refer = [&]() -> magpie::task<int&> { co_return place; };
  const auto nothing = []() -> magpie::task<> { co_return; };
  const auto own = []() -> magpie::task<std::unique_ptr<int>> {
    co_return std::make_unique<int>(6);
  };
  const auto sleep = []() -> magpie::task<std::string> {
    co_await magpie::sleep_for(1000h);
    co_return "slept";
  };
  const auto run = [&]() -> magpie::task<> {
    const auto second = co_await race(sleep(), refer());
    static_assert(std::is_same_v<decltype(second),
                                 const std::variant<std::string, std::reference_wrapper<int>>>);
    EXPECT_EQ(second.index(), 1U);
    if (second.index() == 1) {
      EXPECT_EQ(&std::get<1>(second).get(), &place);
    }
    const auto first = co_await race(nothing(), sleep());
    EXPECT_EQ(first.index(), 0U);
    auto owned = co_await race(sleep(), own());
    EXPECT_EQ(owned.index(), 1U);
    const std::unique_ptr<int> mine = co_await race(own());
    EXPECT_EQ(*mine, 6);
    int& referred = co_await race(refer(), refer());
    EXPECT_EQ(&referred, &place);
    co_await race(nothing(), nothing());
  };
  runtime.block_on(run());
}

TEST_P(race_of_tasks, of_nothing_is_refused_before_anything_starts) {
  bool began = false;
  const auto begin = [&]() -> magpie::task<int> {
    began = true;
    co_return 2;
  };
  const auto run = [&]() -> magpie::task<int> {
    magpie::task<int> moved = begin();
    magpie::task<int> taken = std::move(moved);
    EXPECT_THROW(co_await race(begin(), std::move(moved)), magpie::invalid_state);
    std::vector<magpie::task<int>> none;
    EXPECT_THROW(co_await race(std::move(none)), magpie::invalid_state);
    EXPECT_FALSE(began);
    co_return co_await std::move(taken);
  };
  EXPECT_EQ(runtime.block_on(run()), 2);
}

TEST_P(race_of_tasks, that_is_cancelled_cancels_all_and_waits) {
  tally ended;
  const auto run = [&]() -> magpie::task<> {
    co_await race(lose(ended, answer::returns, counted()), lose(ended, answer::fails, counted()),
                  lose(ended, answer::rethrows, counted()));
    ADD_FAILURE() << "went on";
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("no race"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "no race");
  EXPECT_EQ(ended, 3);
}

TEST_P(race_of_tasks, that_is_cancelled_after_the_win_throws_cancelled) {
  std::atomic<bool> is_won{false};
  std::atomic<bool> may_end{false};
  tally held;
  const auto hold_out = [&]() -> magpie::task<int> {
    ++held.begun;
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
      is_won = true;
    }
    while (!may_end) co_await magpie::sleep_for(1ms);
    co_return 0;
  };
  const auto run = [&]() -> magpie::task<> {
    co_await race(win_after(held, 1, 1), hold_out());
    ADD_FAILURE() << "went on";
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(magpie::test::eventually([&] { return is_won.load(); }));
  EXPECT_TRUE(handle.cancel("late"));
  may_end = true;
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "late");
}

TEST_P(race_of_tasks, within_a_timeout_ends_in_time) {
  tally ended;
  const auto run = [&]() -> magpie::task<> {
    co_await magpie::wait_for(
        race(lose(ended, answer::rethrows, counted()), lose(ended, answer::returns, counted())),
        1ms);
  };
  EXPECT_THROW(runtime.block_on(run()), magpie::timeout_error);
  EXPECT_EQ(ended, ended.begun);
}

TEST_P(race_of_tasks, is_decided_in_a_child_that_has_been_told_to_end) {
  // What cleans up may race and limit as anybody else: the request that it was told of long ago is
  // not told to what it awaits, and does not keep it from being told of another.
  const auto clean_up = [](bool limited) -> magpie::task<int> {
    try {
      co_await magpie::sleep_for(1000h);
    } catch (const magpie::cancelled&) {
    }
    tally ended;
    int result = 0;
    if (limited) {
      try {
        co_await magpie::wait_for(race(lose(ended, answer::rethrows, counted())), 1ms);
      } catch (const magpie::timeout_error&) {
        result = 1;
      }
      EXPECT_EQ(ended, ended.begun);
    } else {
      result = co_await race(win_after(ended, 2, 2), lose(ended, answer::rethrows, counted()),
                             race(lose(ended, answer::rethrows, counted()), sleep_and_give(3)));
      EXPECT_EQ(ended, 2);
    }
    EXPECT_EQ(result, limited ? 1 : 2);
    co_return result;
  };
  const auto run = [&]() -> magpie::task<> {
    co_await magpie::gather(clean_up(true), clean_up(false));
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("clean up"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "clean up");
}

}  // namespace
