#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <magpie/checkpoint.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/outcome_text.hpp"
#include "support/scale.hpp"
#include "support/timing_out.hpp"
#include "support/worker_counts.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::timeout_scope;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::limited;
using magpie::test::outcome;
using magpie::test::scaled;

// Rule 48: the body ends just when the time is over. One of the two wins, and the loser is undone.

/// Finds the moment at which both sides win as often: a step towards the other side each time, a
/// longer one when that was not enough.
class balance {
 public:
  [[nodiscard]] magpie::duration offset() const noexcept { return offset_; }

  void note(bool was_late) noexcept {
    step_ = was_late == was_late_before_ ? std::min<magpie::duration>(2 * step_, 100us)
                                         : std::max<magpie::duration>(step_ / 2, 50ns);
    was_late_before_ = was_late;
    offset_ = std::clamp<magpie::duration>(offset_ + (was_late ? -step_ : step_), -50us, 100ms);
    ++(was_late ? late : in_time);
  }

  std::size_t late = 0;
  std::size_t in_time = 0;

 private:
  magpie::duration offset_{0};
  magpie::duration step_{1us};
  bool was_late_before_ = false;
};

/// Fails when the task hears of anything.
magpie::task<> expect_undisturbed() {
  EXPECT_EQ(magpie::current_deadline(), std::nullopt);
  EXPECT_EQ(magpie::current_task().cancelling(), 0U);
  co_await magpie::yield();
  co_await magpie::checkpoint();
}

/// The body does not suspend: it ends in time, or has not noticed.
magpie::task<> end_a_computation_at_the_deadline(std::size_t rounds, balance& sides) {
  const counted local;
  for (std::size_t i = 0; i < rounds && !testing::Test::HasFailure(); ++i) {
    bool expired = false;
    const auto body = [&](timeout_scope& scope) -> magpie::task<counted> {
      const auto end = *scope.deadline() + sides.offset();
      while (magpie::clock::now() < end) {
      }
      expired = scope.expired();
      co_return counted(4);
    };
    const auto given = co_await magpie::with_timeout(70us, body);
    EXPECT_EQ(given.value, 4);
    sides.note(expired);
    co_await expect_undisturbed();
  }
}

/// The body sleeps until the same deadline, and so is woken either by its own timer or by the end
/// of its time.
magpie::task<> end_a_sleep_at_the_deadline(std::size_t rounds) {
  const counted local;
  for (std::size_t i = 0; i < rounds && !testing::Test::HasFailure(); ++i) {
    bool finished = false;
    const auto body = [&](timeout_scope& scope) -> magpie::task<> {
      const counted inner;
      co_await magpie::sleep_until(*scope.deadline());
      finished = true;
    };
    const auto ended = co_await outcome(limited(70us, body));
    EXPECT_EQ(ended, finished ? "result" : "timeout");
    co_await expect_undisturbed();
  }
}

template <class T>
magpie::task<> await_end_of(magpie::task_handle<T> handle) {
  co_await handle;
}

/// The body awaits a task that ends at about that time, on any worker.
magpie::task<> end_a_task_at_the_deadline(std::size_t rounds) {
  const counted local;
  for (std::size_t i = 0; i < rounds && !testing::Test::HasFailure(); ++i) {
    const auto nap = [](magpie::time_point until) -> magpie::task<counted> {
      co_await magpie::sleep_until(until);
      co_return counted(5);
    };
    magpie::task_handle<counted> target;
    const auto body = [&](timeout_scope& scope) -> magpie::task<> {
      target = magpie::spawn(nap(*scope.deadline()));
      co_await target;
    };
    const auto ended = co_await outcome(limited(70us, body));
    // The time may have been over before the body came to await the task: then that runs on.
    std::string nap_ended = "cancelled";
    if (target) nap_ended = co_await outcome(await_end_of(target));
    if (ended == "timeout") {
      EXPECT_TRUE(nap_ended == "cancelled" || nap_ended == "result");
    } else {
      EXPECT_EQ(ended, "result");
      EXPECT_EQ(nap_ended, "result");
    }
    co_await expect_undisturbed();
  }
}

class timeout_race : public magpie::test::each_worker_count {
 protected:
  /// Races of all kinds at once. Each of `sides` has one worker's computations.
  static void race(std::vector<balance>& sides) {
    const std::size_t rounds = scaled(25'000) / GetParam() + 100;
    magpie::runtime runtime{{.workers = GetParam()}};
    std::vector<magpie::task_handle<>> racers;
    for (balance& each : sides) {
      racers.push_back(runtime.spawn(end_a_computation_at_the_deadline(rounds, each)));
      racers.push_back(runtime.spawn(end_a_sleep_at_the_deadline(rounds)));
      racers.push_back(runtime.spawn(end_a_task_at_the_deadline(rounds)));
    }
    for (const auto& each : racers) {
      ASSERT_TRUE(eventually([&] { return each.done(); }));
      each.result();
    }
  }
};
MAGPIE_FOR_EACH_WORKER_COUNT(timeout_race);

TEST_P(timeout_race, of_the_body_and_the_clock_has_one_winner) {
  const auto frames_before = magpie::frame_statistics().live;
  std::vector<balance> sides(GetParam());
  std::size_t late = 0;
  std::size_t in_time = 0;
  // On a machine that is late with everything it takes more races to find the balance.
  const auto has_both_sides = [&] {
    late = in_time = 0;
    for (balance& each : sides) each.late = each.in_time = 0;
    race(sides);
    for (const balance& each : sides) {
      late += each.late;
      in_time += each.in_time;
    }
    return HasFailure() || std::min(late, in_time) >= (late + in_time) / 20;
  };
  EXPECT_TRUE(eventually(has_both_sides)) << late << " late, " << in_time << " in time";
  EXPECT_EQ(counted::alive(), 0);
  EXPECT_EQ(magpie::frame_statistics().live, frames_before);
}

}  // namespace
