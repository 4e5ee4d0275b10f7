#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/gather.hpp>
#include <magpie/magpie.hpp>
#include <memory>
#include <random>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/reports.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

// A gather of tasks that have been spawned.

namespace {

using namespace std::chrono_literals;
using magpie::task_handle;
using magpie::test::counted;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::give_when;
using magpie::test::reason_of;
using magpie::test::reports;
using magpie::test::scaled;
using magpie::test::sleep_and_give;
using magpie::test::stop;
using magpie::test::swallow;

using handles_of_int = std::vector<task_handle<int>>;

class gather_handles : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(gather_handles);

class gather_handles_reports : public magpie::test::reporting {};
MAGPIE_FOR_EACH_RUNTIME(gather_handles_reports);

template <class Body>
void run(magpie::runtime& runtime, const Body& body) {
  runtime.block_on(body());
}

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

// Rule 33: a child cancelled by itself: gather fails with cancelled, and is not itself cancelled.

TEST_P(gather_handles, with_a_child_that_is_cancelled_alone_throws_cancelled) {
  const auto slow = runtime.spawn(sleep_and_give(1));
  run(runtime, [&]() -> magpie::task<> {
    const auto other = magpie::spawn(sleep_and_give(2));
    const auto stopper = magpie::spawn([](task_handle<int> which) -> magpie::task<> {
      co_await magpie::sleep_for(1ms);
      which.cancel("only you");
    }(other));
    std::string reason;
    try {
      co_await magpie::gather(slow, other);
    } catch (const magpie::cancelled& stopped) {
      reason = stopped.reason();
    }
    EXPECT_EQ(reason, "only you");
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    co_await magpie::sleep_for(1ms);
  });
  EXPECT_FALSE(slow.done());
  slow.cancel();
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

// Rule 35: cancelling gather cancels all unfinished children, waits for them, throws cancelled.

TEST_P(gather_handles_reports, that_is_cancelled_cancels_its_children_and_waits_for_them) {
  for (const bool returns_exceptions : {false, true}) {
    std::atomic<int> told{0};
    std::atomic<int> ended{0};
    std::atomic<int> begun{0};
    const auto end_late = [&](bool fails) -> magpie::task<int> {
      ++begun;
      const std::string reason = co_await swallow();
      EXPECT_EQ(reason, "all of you");
      ++told;
      co_await magpie::sleep_for(1ms);
      ++ended;
      if (fails) throw std::runtime_error("late");
      co_return 1;
    };
    const auto gather_all = [&]() -> magpie::task<> {
      handles_of_int all;
      const auto finished = magpie::spawn(give(1));
      co_await finished;
      all.push_back(finished);
      for (int i = 0; i < 20; ++i) all.push_back(magpie::spawn(end_late(i % 2 == 0)));
      all.push_back(all.back());
      if (returns_exceptions) {
        const auto outcomes = co_await magpie::gather(magpie::return_exceptions, std::move(all));
      } else {
        co_await magpie::gather(std::move(all));
      }
      ADD_FAILURE() << "went on";
    };
    const auto handle = runtime.spawn(gather_all());
    EXPECT_TRUE(eventually([&] { return begun == 20; }));
    EXPECT_TRUE(handle.cancel("all of you"));
    ASSERT_TRUE(ends(handle));
    EXPECT_EQ(reason_of(handle), "all of you");
    EXPECT_EQ(told, 20);
    EXPECT_EQ(ended, 20);
  }
}

TEST_P(gather_handles, tells_each_child_once_though_a_lock_is_not_to_be_had) {
  const auto first = runtime.spawn(swallow());
  const auto held = runtime.spawn(swallow());
  const auto last = runtime.spawn(swallow());
  const auto gather_all = [&]() -> magpie::task<> { co_await magpie::gather(first, held, last); };
  const auto handle = runtime.spawn(gather_all());
  ASSERT_TRUE(nothing_runs());
  magpie::detail::cancel_scope& scope = magpie::detail::handle_access::state(held);
  scope.lock();
  std::thread canceller([&] { EXPECT_TRUE(handle.cancel("all of you")); });
  // Without running tasks meanwhile: a virtual time would jump, and wake what is held.
  while (first.cancelling() != 1) std::this_thread::yield();
  EXPECT_EQ(last.cancelling(), 0U);
  scope.unlock();
  canceller.join();
  ASSERT_TRUE(ends(handle));
  EXPECT_TRUE(handle.cancelled());
  for (const auto& each : {first, held, last}) {
    EXPECT_EQ(each.result(), "all of you");
    EXPECT_EQ(each.cancelling(), 1U);
  }
}

TEST_P(gather_handles, that_was_cancelled_before_it_began_passes_it_on) {
  const auto one = runtime.spawn(swallow());
  const auto two = runtime.spawn(sleep_and_give(2));
  ASSERT_TRUE(nothing_runs());
  const auto gather_both = [&]() -> magpie::task<> {
    magpie::current_task().cancel("before");
    co_await magpie::gather(one, two);
    ADD_FAILURE() << "went on";
  };
  const auto handle = runtime.spawn(gather_both());
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "before");
  ASSERT_TRUE(one.done());
  EXPECT_EQ(one.result(), "before");
  ASSERT_TRUE(two.done());
  EXPECT_TRUE(two.cancelled());
}

TEST_P(gather_handles, within_a_timeout_cancels_when_the_time_is_over) {
  run(runtime, [&]() -> magpie::task<> {
    const auto one = magpie::spawn(sleep_and_give(1));
    const auto two = magpie::spawn(sleep_and_give(2));
    const auto gather_both = [&]() -> magpie::task<> { co_await magpie::gather(one, two); };
    bool is_over = false;
    try {
      co_await magpie::wait_for(gather_both(), 1ms);
    } catch (const magpie::timeout_error&) {
      is_over = true;
    }
    EXPECT_TRUE(is_over);
    EXPECT_TRUE(one.cancelled());
    EXPECT_TRUE(two.cancelled());
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
  });
}

// Rule 36: when all children are done.

TEST_P(gather_handles, after_the_end_keeps_the_results) {
  const auto gather_two = []() -> magpie::task<int> {
    const auto both = co_await magpie::gather(magpie::spawn(give(1)), magpie::spawn(give(2)));
    co_return std::get<0>(both) + std::get<1>(both);
  };
  const auto handle = runtime.spawn(gather_two());
  ASSERT_TRUE(ends(handle));
  EXPECT_FALSE(handle.cancel());
  EXPECT_EQ(handle.result(), 3);
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
  EXPECT_EQ(handle.waiting_for(), "all of several tasks");
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

// Children end, fail and are cancelled at any moment, and so is who gathers them.

TEST_P(gather_handles_reports, that_race_with_everything) {
  std::mt19937_64 random(seed());
  const std::size_t rounds = scaled(50'000);
  const auto child = [](int kind, magpie::duration delay, counted) -> magpie::task<int> {
    co_await magpie::sleep_for(delay);
    if (kind == 0) throw std::runtime_error("failed");
    co_return kind;
  };
  const auto gather_all = [](handles_of_int all, bool returns) -> magpie::task<std::size_t> {
    if (returns) {
      const auto outcomes = co_await magpie::gather(magpie::return_exceptions, std::move(all));
      co_return outcomes.size();
    }
    const std::vector<int> results = co_await magpie::gather(std::move(all));
    co_return results.size();
  };
  for (std::size_t round = 0; round < rounds; ++round) {
    handles_of_int all;
    for (int i = 0; i < 6; ++i) {
      all.push_back(runtime.spawn(
          child(static_cast<int>(random() % 12), magpie::duration(random() % 60'000), counted())));
    }
    const bool returns = random() % 2 == 0;
    const auto handle = runtime.spawn(gather_all(all, returns));
    if (random() % 4 == 0) all[random() % 6].cancel();
    bool was_cancelled = false;
    if (random() % 2 == 0) {
      const auto end = magpie::clock::now() + magpie::duration(random() % 60'000);
      while (!is_virtual() && magpie::clock::now() < end) {
      }
      if (is_virtual()) runtime.run_for(magpie::duration(random() % 60'000));
      was_cancelled = handle.cancel();
    }
    ASSERT_TRUE(ends(handle));
    if (!handle.cancelled()) {
      const bool has_failed = handle.exception() != nullptr;
      ASSERT_FALSE(has_failed && returns);
      ASSERT_FALSE(was_cancelled && !has_failed);
    }
    for (const auto& each : all) {
      ASSERT_TRUE(ends(each));
      if (!each.cancelled()) static_cast<void>(each.exception());
    }
  }
  EXPECT_TRUE(eventually([] { return counted::alive() == 0; }));
}

// Tasks that await each other in a ring: the one before the one that is cancelled goes first.

TEST_P(gather_handles, in_a_ring_end_when_one_is_cancelled) {
  for (const std::size_t asked : {std::size_t{0}, std::size_t{1}}) {
    handles_of_int ring;
    std::atomic<bool> is_closed{false};
    const auto gather_other = [&](std::size_t place) -> magpie::task<int> {
      while (!is_closed) co_await magpie::yield();
      const handles_of_int other{ring[1 - place]};
      const std::vector<int> results = co_await magpie::gather(other);
      co_return results.front();
    };
    ring.push_back(runtime.spawn(gather_other(0)));
    ring.push_back(runtime.spawn(gather_other(1)));
    is_closed = true;
    ASSERT_TRUE(nothing_runs());
    EXPECT_TRUE(ring[asked].cancel("enough"));
    for (const auto& each : ring) {
      ASSERT_TRUE(ends(each));
      EXPECT_EQ(reason_of(each), "enough");
    }
  }
}

}  // namespace
