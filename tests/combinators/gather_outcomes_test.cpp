#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <forward_list>
#include <functional>
#include <magpie/frame_statistics.hpp>
#include <magpie/gather.hpp>
#include <magpie/magpie.hpp>
#include <memory>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/tasks.hpp"

// A gather of lazy tasks that returns exceptions, and gathers of ranges.

namespace {

using namespace std::chrono_literals;
using magpie::outcome;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::reason_of;
using magpie::test::sleep_and_give;
using magpie::test::stop;
using magpie::test::swallow;

class gather_outcomes : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(gather_outcomes);

magpie::task<> fail_late(std::string what, int yields) {
  for (int i = 0; i < yields; ++i) co_await magpie::yield();
  throw std::runtime_error(what);
}

magpie::task<> do_nothing() { co_return; }

magpie::task<std::unique_ptr<int>> make(int value) { co_return std::make_unique<int>(value); }

// Rule 34: return_exceptions collects everything, cancelled included.

TEST_P(gather_outcomes, collects_values_failures_and_cancellations) {
  const auto collect = []() -> magpie::task<> {
    const auto all = co_await magpie::gather(magpie::return_exceptions, give(1), fail("boom"),
                                             stop("enough"), fail_late("late", 3), make(5));
    static_assert(std::is_same_v<std::remove_cvref_t<decltype(std::get<3>(all))>, outcome<void>>);
    EXPECT_EQ(std::get<0>(all), 1);
    EXPECT_TRUE(std::get<1>(all).failed());
    EXPECT_THROW(std::get<1>(all).value(), std::runtime_error);
    EXPECT_TRUE(std::get<2>(all).cancelled());
    EXPECT_TRUE(std::get<3>(all).failed());
    EXPECT_EQ(*std::get<4>(all).value(), 5);
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    const std::tuple<> none = co_await magpie::gather(magpie::return_exceptions);
    static_cast<void>(none);
  };
  runtime.block_on(collect());
}

TEST_P(gather_outcomes, collects_those_of_a_vector_in_order) {
  const auto collect = []() -> magpie::task<> {
    std::vector<magpie::task<int>> children;
    for (int i = 0; i < 100; ++i) {
      children.push_back(i % 3 == 0   ? fail(std::to_string(i))
                         : i % 3 == 1 ? stop("enough")
                                      : give_after_yields(i, i % 5));
    }
    const std::vector<outcome<int>> all =
        co_await magpie::gather(magpie::return_exceptions, std::move(children));
    EXPECT_EQ(all.size(), 100U);
    for (int i = 0; i < 100; ++i) {
      const auto& each = all[static_cast<std::size_t>(i)];
      EXPECT_EQ(each.failed(), i % 3 == 0);
      EXPECT_EQ(each.cancelled(), i % 3 == 1);
      if (i % 3 == 2) {
        EXPECT_EQ(each, i);
      }
    }
    std::vector<magpie::task<>> nothing;
    nothing.push_back(fail_late("boom", 1));
    nothing.push_back(do_nothing());
    const std::vector<outcome<void>> two =
        co_await magpie::gather(magpie::return_exceptions, std::move(nothing));
    EXPECT_TRUE(two[0].failed());
    EXPECT_TRUE(two[1].has_value());
  };
  runtime.block_on(collect());
}

TEST_P(gather_outcomes, of_references_refer) {
  int place = 1;
  const auto refer = [&]() -> magpie::task<int&> { co_return place; };
  const auto collect = [&]() -> magpie::task<> {
    const auto both = co_await magpie::gather(magpie::return_exceptions, refer(), give(1));
    std::get<0>(both).value() = 2;
    std::vector<magpie::task<int&>> one;
    one.push_back(refer());
    const std::vector<outcome<int&>> all =
        co_await magpie::gather(magpie::return_exceptions, std::move(one));
    EXPECT_EQ(all[0], 2);
  };
  runtime.block_on(collect());
}

// Rule 35: cancelled, it throws that, but waits for all children first.

TEST_P(gather_outcomes, are_not_given_to_who_is_cancelled) {
  std::atomic<int> ended{0};
  const auto end_late = [&]() -> magpie::task<> {
    const std::string reason = co_await swallow();
    EXPECT_EQ(reason, "all of you");
    co_await magpie::sleep_for(1ms);
    ++ended;
  };
  const auto collect = [&](bool as_vector) -> magpie::task<> {
    if (as_vector) {
      std::vector<magpie::task<>> children;
      for (int i = 0; i < 20; ++i) children.push_back(end_late());
      const auto all = co_await magpie::gather(magpie::return_exceptions, std::move(children));
    } else {
      const auto all = co_await magpie::gather(magpie::return_exceptions, end_late(), end_late());
    }
    ADD_FAILURE() << "went on";
  };
  for (const bool as_vector : {false, true}) {
    ended = 0;
    const auto handle = runtime.spawn(collect(as_vector));
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(handle.cancel("all of you"));
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(reason_of(handle), "all of you");
    EXPECT_EQ(ended, as_vector ? 20 : 2);
  }
}

// Ranges.

TEST_P(gather_outcomes, of_a_range_that_makes_its_tasks) {
  const auto gather_all = []() -> magpie::task<> {
    std::vector<int> squares = co_await magpie::gather(
        std::views::iota(0, 100) | std::views::transform([](int i) { return give(i * i); }));
    EXPECT_EQ(squares.size(), 100U);
    EXPECT_EQ(squares[9], 81);
    auto odd = std::views::iota(0, 10) | std::views::filter([](int i) { return i % 2 == 1; }) |
               std::views::transform([](int i) { return i == 5 ? fail("five") : give(i); });
    const auto all = co_await magpie::gather(magpie::return_exceptions, odd);
    EXPECT_EQ(all.size(), 5U);
    EXPECT_EQ(all[0], 1);
    EXPECT_TRUE(all[2].failed());
    EXPECT_EQ(all[4], 9);
    const std::vector<int> none =
        co_await magpie::gather(std::views::empty<int> | std::views::transform(&give));
    EXPECT_TRUE(none.empty());
  };
  runtime.block_on(gather_all());
}

TEST_P(gather_outcomes, of_a_container_that_is_given_away) {
  const auto gather_all = []() -> magpie::task<> {
    std::forward_list<magpie::task<int>> list;
    for (int i = 0; i < 3; ++i) list.push_front(give(i));
    const std::vector<int> all = co_await magpie::gather(std::move(list));
    EXPECT_EQ(all, (std::vector<int>{2, 1, 0}));
  };
  runtime.block_on(gather_all());
}

TEST_P(gather_outcomes, of_a_range_that_throws_starts_nothing) {
  bool began = false;
  const auto begin = [&](counted) -> magpie::task<int> {
    began = true;
    co_return 1;
  };
  const auto make_or_throw = [&](int i) {
    if (i == 7) throw std::runtime_error("seven");
    return begin(counted(i));
  };
  const auto frames = magpie::frame_statistics().live;
  const auto gather_all = [&]() -> magpie::task<> {
    co_await magpie::gather(std::views::iota(0, 10) | std::views::transform(make_or_throw));
  };
  EXPECT_THROW(runtime.block_on(gather_all()), std::runtime_error);
  EXPECT_FALSE(began);
  EXPECT_EQ(counted::alive(), 0);
  EXPECT_TRUE(eventually([&] { return magpie::frame_statistics().live == frames; }));
}

}  // namespace
