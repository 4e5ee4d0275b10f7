#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <magpie/gather.hpp>
#include <magpie/magpie.hpp>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/handles.hpp"
#include "support/reports.hpp"
#include "support/run.hpp"
#include "support/tasks.hpp"

// A gather of tasks that have been spawned.

namespace {

using magpie::task_handle;
using magpie::test::ends;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::give_when;
using magpie::test::handles_of_int;
using magpie::test::run;
using magpie::test::sleep_and_give;
using magpie::test::stop;
using magpie::test::swallow;

class gather_handles : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(gather_handles);

class gather_handles_reports : public magpie::test::reporting {};
MAGPIE_FOR_EACH_RUNTIME(gather_handles_reports);

magpie::task<std::unique_ptr<int>> make(int value) {
  co_await magpie::yield();
  co_return std::make_unique<int>(value);
}

magpie::task<> do_nothing() { co_return; }

magpie::task<int> fail_when(std::atomic<bool>& open, std::string what) {
  co_await give_when(open, 0);
  throw std::runtime_error(what);
}

// Rule 30: results in the order of the arguments; nothing gathered is ready at once.

TEST_P(gather_handles, gives_results_in_the_order_of_the_arguments) {
  int place = 1;
  const auto refer = [&]() -> magpie::task<int&> { co_return place; };
  run(runtime, [&]() -> magpie::task<> {
    const auto four =
        co_await magpie::gather(magpie::spawn(give_after_yields(1, 5)), magpie::spawn(make(2)),
                                magpie::spawn(do_nothing()), magpie::spawn(refer()));
    EXPECT_EQ(std::get<0>(four), 1);
    EXPECT_EQ(*std::get<1>(four), 2);
    EXPECT_EQ(&std::get<3>(four), &place);
    handles_of_int many;
    for (int i = 0; i < 100; ++i) many.push_back(magpie::spawn(give_after_yields(i, 100 - i)));
    const std::vector<int> all = co_await magpie::gather(many);
    EXPECT_EQ(all.size(), 100U);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
    std::vector<task_handle<std::unique_ptr<int>>> owners;
    for (int i = 0; i < 3; ++i) owners.push_back(magpie::spawn(make(i)));
    const auto owned = co_await magpie::gather(std::move(owners));
    EXPECT_EQ(*owned[2], 2);
    const std::vector<int> none = co_await magpie::gather(handles_of_int());
    EXPECT_TRUE(none.empty());
    std::vector<task_handle<>> voids;
    for (int i = 0; i < 3; ++i) voids.push_back(magpie::spawn(do_nothing()));
    co_await magpie::gather(std::move(voids));
    const std::vector<int> spawned =
        co_await magpie::gather(std::views::iota(0, 5) | std::views::transform([](int i) {
                                  return magpie::spawn(give(i));
                                }));
    EXPECT_EQ(spawned, (std::vector<int>{0, 1, 2, 3, 4}));
  });
}

// Rule 31: the first failure ends it at once; siblings run on, uncancelled; later errors count as
// observed.

TEST_P(gather_handles_reports, ends_with_the_first_failure_and_the_siblings_run_on) {
  std::atomic<bool> open{false};
  for (const bool as_vector : {false, true}) {
    open = false;
    auto slow = runtime.spawn(give_when(open, 7));
    auto fails_later = runtime.spawn(fail_when(open, "later"));
    const auto gather_all = [&]() -> magpie::task<std::string> {
      auto failing = magpie::spawn(fail("first"));
      std::string what;
      try {
        if (as_vector) {
          handles_of_int all{slow, fails_later, failing};
          co_await magpie::gather(std::move(all));
        } else {
          co_await magpie::gather(slow, fails_later, std::move(failing));
        }
      } catch (const std::runtime_error& error) {
        what = error.what();
      }
      co_return what;
    };
    EXPECT_EQ(runtime.block_on(gather_all()), "first");
    EXPECT_FALSE(slow.done());
    EXPECT_FALSE(fails_later.done());
    open = true;
    EXPECT_TRUE(ends(slow));
    EXPECT_TRUE(ends(fails_later));
    EXPECT_EQ(slow.result(), 7);
    EXPECT_EQ(slow.cancelling(), 0U);
    fails_later = task_handle<int>();
  }
}

TEST_P(gather_handles_reports, of_tasks_that_failed_before_reports_none) {
  run(runtime, [&]() -> magpie::task<> {
    auto one = magpie::spawn(fail("one"));
    auto two = magpie::spawn(fail("two"));
    const handles_of_int both{one, two};
    const auto ended = co_await magpie::wait(both);
    std::string what;
    try {
      co_await magpie::gather(std::move(one), std::move(two));
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    EXPECT_EQ(what, "one") << "of those that have ended, the first that was given";
    EXPECT_EQ(ended.done.size(), 2U);
  });
}

// Rule 34: return_exceptions collects everything, cancelled included.

TEST_P(gather_handles_reports, collects_outcomes) {
  run(runtime, [&]() -> magpie::task<> {
    const auto five = co_await magpie::gather(
        magpie::return_exceptions, magpie::spawn(give_after_yields(1, 3)), magpie::spawn(fail("x")),
        magpie::spawn(stop("enough")), magpie::spawn(do_nothing()), magpie::spawn(make(5)));
    EXPECT_EQ(std::get<0>(five), 1);
    EXPECT_TRUE(std::get<1>(five).failed());
    EXPECT_TRUE(std::get<2>(five).cancelled());
    EXPECT_TRUE(std::get<3>(five).has_value());
    EXPECT_EQ(*std::get<4>(five).value(), 5);
    handles_of_int many;
    for (int i = 0; i < 60; ++i) {
      many.push_back(magpie::spawn(i % 3 == 0   ? fail("x")
                                   : i % 3 == 1 ? stop("enough")
                                                : give_after_yields(i, i % 7)));
    }
    const auto all = co_await magpie::gather(magpie::return_exceptions, std::move(many));
    EXPECT_EQ(all.size(), 60U);
    for (int i = 0; i < 60; ++i) {
      const auto& each = all[static_cast<std::size_t>(i)];
      EXPECT_EQ(each.failed(), i % 3 == 0);
      EXPECT_EQ(each.cancelled(), i % 3 == 1);
      EXPECT_EQ(each.has_value(), i % 3 == 2);
    }
  });
}

// Rule 37: the same handle given twice appears in both places.

TEST_P(gather_handles, shows_a_handle_given_twice_in_both_places) {
  run(runtime, [&]() -> magpie::task<> {
    const auto one = magpie::spawn(give_after_yields(1, 3));
    const auto two = magpie::spawn(give(2));
    const auto three = co_await magpie::gather(one, two, one);
    EXPECT_EQ(three, std::tuple(1, 2, 1));
    const handles_of_int all{two, one, two, two};
    const std::vector<int> four = co_await magpie::gather(all);
    EXPECT_EQ(four, (std::vector<int>{2, 1, 2, 2}));
  });
}

TEST_P(gather_handles, cancels_once_a_handle_that_was_given_twice) {
  std::atomic<bool> told{false};
  const auto ends_late = [&]() -> magpie::task<unsigned> {
    co_await swallow();
    told = true;
    co_return magpie::current_task().cancelling();
  };
  const auto child = runtime.spawn(ends_late());
  const auto gather_twice = [&]() -> magpie::task<> { co_await magpie::gather(child, child); };
  const auto handle = runtime.spawn(gather_twice());
  ASSERT_TRUE(nothing_runs());
  EXPECT_EQ(handle.waiting_for(), "gathered task \"" + child.name() + "\"");
  EXPECT_TRUE(handle.cancel());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(child.result(), 1U);
}

TEST_P(gather_handles, of_oneself_is_an_error) {
  const auto other = runtime.spawn(sleep_and_give(1));
  task_handle<> self;
  std::atomic<bool> is_known{false};
  const auto gather_self = [&]() -> magpie::task<> {
    while (!is_known) co_await magpie::yield();
    co_await magpie::gather(other, self);
  };
  self = runtime.spawn(gather_self());
  is_known = true;
  ASSERT_TRUE(ends(self));
  EXPECT_THROW(self.result(), magpie::invalid_state);
  other.cancel();
}

}  // namespace
