#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <magpie/magpie.hpp>
#include <magpie/wait.hpp>
#include <random>
#include <utility>

#include "support/cancelling.hpp"
#include "support/handles.hpp"
#include "support/scale.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::until;
using magpie::test::ends;
using magpie::test::give_after;
using magpie::test::handles_of_int;
using magpie::test::scaled;

class wait_race : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(wait_race);

// Ends, limits and requests come at any moment: each wait is over once, and leaves nothing.

TEST_P(wait_race, of_ends_limits_and_requests_leaves_nothing) {
  std::mt19937_64 random(seed());
  const std::size_t rounds = scaled(100'000);
  for (std::size_t round = 0; round < rounds; ++round) {
    handles_of_int all;
    for (int i = 0; i < 6; ++i) all.push_back(runtime.spawn(give_after(random() % 5 * 30us, i)));
    const auto how = static_cast<until>(random() % 3);
    const magpie::duration limit = random() % 6 * 25us;
    const auto waits = [](handles_of_int given, until when,
                          magpie::duration time) -> magpie::task<std::size_t> {
      const auto found = co_await magpie::wait(std::move(given), when, time);
      co_return found.done.size() + found.pending.size();
    };
    const auto waiter = runtime.spawn(waits(all, how, limit));
    if (random() % 2 == 0) {
      if (random() % 2 == 0) {
        const auto end = magpie::clock::now() + magpie::duration(random() % 100'000);
        while (!is_virtual() && magpie::clock::now() < end) {
        }
        if (is_virtual()) runtime.run_for(magpie::duration(random() % 100'000));
      }
      waiter.cancel();
    }
    ASSERT_TRUE(ends(waiter));
    if (!waiter.cancelled()) {
      ASSERT_EQ(waiter.result(), 6U);
    }
    for (const auto& each : all) {
      ASSERT_TRUE(ends(each));
      ASSERT_FALSE(each.cancelled());
    }
  }
}

}  // namespace
