#include "scheduler/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace {

using magpie::detail::timer_node;
using magpie::detail::timer_wheel;

constexpr std::uint64_t greatest = std::numeric_limits<std::uint64_t>::max();

// Takes an expired list apart as a receiver does: `next` is read before the node is given away.
std::vector<timer_node*> walk(timer_node* node) {
  std::vector<timer_node*> nodes;
  while (node != nullptr) {
    nodes.push_back(std::exchange(node, node->next));
  }
  return nodes;
}

using nodes = std::vector<timer_node*>;

TEST(timer_wheel, is_empty_at_first) {
  timer_wheel wheel{5};
  EXPECT_TRUE(wheel.empty());
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_EQ(wheel.now(), 5U);
  EXPECT_EQ(wheel.next_tick(), std::nullopt);
  EXPECT_EQ(wheel.advance(greatest), nullptr);
  EXPECT_EQ(wheel.now(), greatest);
}

TEST(timer_wheel, expires_at_its_tick_and_not_before) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const std::uint64_t offset : {0U, 1U, 2U}) {
      const std::uint64_t tick = (std::uint64_t{1} << bit) - 1 + offset;
      if (tick < 2) {
        continue;
      }
      SCOPED_TRACE(tick);
      timer_wheel wheel;
      timer_node node;
      wheel.insert(node, tick);
      EXPECT_TRUE(node.is_linked());
      EXPECT_EQ(wheel.advance(tick - 1), nullptr);
      EXPECT_EQ(wheel.next_tick(), tick);
      EXPECT_EQ(walk(wheel.advance(tick)), nodes{&node});
      EXPECT_FALSE(node.is_linked());
      EXPECT_EQ(node.tick, tick);
      EXPECT_TRUE(wheel.empty());
      EXPECT_EQ(wheel.next_tick(), std::nullopt);
    }
  }
}

TEST(timer_wheel, every_single_tick_over_three_levels) {
  constexpr std::uint64_t last = 64 * 64 * 4 + 7;
  timer_wheel wheel;
  std::vector<timer_node> all(last + 1);
  for (std::uint64_t tick = last; tick > 0; --tick) {
    wheel.insert(all[tick], tick);
  }
  for (std::uint64_t tick = 1; tick <= last; ++tick) {
    ASSERT_EQ(walk(wheel.advance(tick)), nodes{&all[tick]}) << tick;
  }
  EXPECT_TRUE(wheel.empty());
}

TEST(timer_wheel, a_tick_not_after_now_goes_to_the_next_advance) {
  timer_wheel wheel{1000};
  timer_node now;
  timer_node past;
  timer_node later;
  wheel.insert(later, 1001);
  wheel.insert(now, 1000);
  wheel.insert(past, 3);
  EXPECT_EQ(wheel.next_tick(), 1000U);
  EXPECT_EQ(walk(wheel.advance(1000)), (nodes{&now, &past}));
  EXPECT_EQ(wheel.next_tick(), 1001U);
  wheel.insert(past, 0);
  EXPECT_EQ(walk(wheel.advance(1001)), (nodes{&past, &later}));
}

TEST(timer_wheel, never_moves_back) {
  timer_wheel wheel{1000};
  timer_node due;
  timer_node later;
  wheel.insert(due, 10);
  wheel.insert(later, 1001);
  EXPECT_EQ(walk(wheel.advance(10)), nodes{&due});
  EXPECT_EQ(wheel.now(), 1000U);
  EXPECT_EQ(walk(wheel.advance(1001)), nodes{&later});
}

TEST(timer_wheel, hands_out_in_order_of_tick_then_of_insertion) {
  timer_wheel wheel;
  timer_node first_far;
  timer_node near;
  timer_node farther;
  timer_node second_far;
  timer_node third_far;
  wheel.insert(first_far, 5000);
  wheel.insert(farther, 5001);
  wheel.insert(near, 4999);
  wheel.insert(second_far, 5000);
  EXPECT_EQ(wheel.advance(4990), nullptr);
  wheel.insert(third_far, 5000);  // straight into a low level, behind those that moved down
  EXPECT_EQ(walk(wheel.advance(1U << 20)),
            (nodes{&near, &first_far, &second_far, &third_far, &farther}));
}

TEST(timer_wheel, cancel_tells_whether_it_was_pending) {
  timer_wheel wheel{100};
  timer_node node;
  EXPECT_FALSE(wheel.cancel(node));
  for (const std::uint64_t tick : {50U, 100U, 101U, 1'000'000U}) {
    SCOPED_TRACE(tick);
    wheel.insert(node, tick);
    EXPECT_EQ(wheel.size(), 1U);
    EXPECT_TRUE(wheel.cancel(node));
    EXPECT_FALSE(node.is_linked());
    EXPECT_FALSE(wheel.cancel(node));
    EXPECT_TRUE(wheel.empty());
    EXPECT_EQ(wheel.next_tick(), std::nullopt);
  }
  wheel.insert(node, 101);
  EXPECT_EQ(walk(wheel.advance(101)), nodes{&node});
  EXPECT_FALSE(wheel.cancel(node));
  EXPECT_TRUE(wheel.empty());
}

TEST(timer_wheel, cancel_leaves_the_neighbours) {
  for (std::size_t victim = 0; victim < 3; ++victim) {
    for (const std::uint64_t tick : {7U, 10U, 12U, 70'000U}) {
      SCOPED_TRACE(tick);
      timer_wheel wheel{10};
      std::vector<timer_node> all(3);
      nodes expected;
      for (timer_node& node : all) {
        wheel.insert(node, tick);
        expected.push_back(&node);
      }
      EXPECT_TRUE(wheel.cancel(all[victim]));
      expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(victim));
      EXPECT_EQ(wheel.size(), 2U);
      EXPECT_EQ(walk(wheel.advance(tick)), expected);
    }
  }
}

TEST(timer_wheel, cancel_finds_a_node_that_has_moved_down) {
  const std::uint64_t tick = (std::uint64_t{1} << 40) + 12345;
  timer_wheel wheel;
  timer_node node;
  wheel.insert(node, tick);
  std::uint64_t steps = 0;
  while (wheel.next_tick() != tick) {
    ASSERT_LT(steps, timer_wheel::level_count);
    EXPECT_EQ(wheel.advance(*wheel.next_tick()), nullptr);
    ++steps;
    EXPECT_TRUE(wheel.cancel(node));
    EXPECT_TRUE(wheel.empty());
    EXPECT_EQ(wheel.next_tick(), std::nullopt);
    wheel.insert(node, tick);
  }
  EXPECT_GE(steps, 2U);
  EXPECT_EQ(walk(wheel.advance(tick)), nodes{&node});
}

TEST(timer_wheel, following_next_tick_takes_at_most_one_call_a_level) {
  timer_wheel wheel;
  timer_node node;
  wheel.insert(node, greatest);
  unsigned calls = 0;
  while (!wheel.empty()) {
    ASSERT_LT(calls++, timer_wheel::level_count);
    const timer_node* expired = wheel.advance(*wheel.next_tick());
    EXPECT_EQ(expired != nullptr, wheel.now() == greatest);
  }
  EXPECT_EQ(calls, timer_wheel::level_count);
}

TEST(timer_wheel, the_greatest_tick_is_a_tick_like_any_other) {
  timer_wheel wheel{greatest - 2};
  timer_node last;
  timer_node before;
  wheel.insert(last, greatest);
  wheel.insert(before, greatest - 1);
  EXPECT_EQ(walk(wheel.advance(greatest - 1)), nodes{&before});
  EXPECT_EQ(wheel.advance(greatest - 1), nullptr);
  EXPECT_EQ(walk(wheel.advance(greatest)), nodes{&last});
  wheel.insert(last, greatest);
  EXPECT_EQ(walk(wheel.advance(greatest)), nodes{&last});
}

TEST(timer_wheel, the_greatest_tick_takes_all_out) {
  timer_wheel wheel{77};
  std::vector<timer_node> all(65);
  for (std::size_t bit = 0; bit < 64; ++bit) {
    wheel.insert(all[bit], std::uint64_t{1} << bit);
  }
  wheel.insert(all[64], greatest);
  EXPECT_EQ(walk(wheel.advance(greatest)).size(), all.size());
  EXPECT_TRUE(wheel.empty());
}

// Tick by tick these distances would take centuries.
TEST(timer_wheel, a_huge_jump_costs_no_more_than_a_small_one) {
  for (unsigned round = 0; round < 1000; ++round) {
    timer_wheel wheel{round};
    timer_node day;
    timer_node age;
    timer_node never;
    wheel.insert(never, greatest);
    wheel.insert(age, std::uint64_t{1} << 62);
    wheel.insert(day, 86'400'000'000);
    ASSERT_EQ(walk(wheel.advance(std::uint64_t{1} << 63)), (nodes{&day, &age}));
    ASSERT_EQ(wheel.size(), 1U);
  }
}

TEST(timer_wheel, inserting_while_walking_the_list_does_not_prolong_it) {
  timer_wheel wheel{10};
  timer_node first;
  timer_node second;
  wheel.insert(first, 11);
  wheel.insert(second, 12);
  for (unsigned turn = 0; turn < 100; ++turn) {
    unsigned seen = 0;
    for (timer_node* node = wheel.advance(12); node != nullptr; ++seen) {
      timer_node* following = node->next;
      wheel.insert(*node, 12);
      node = following;
    }
    EXPECT_EQ(seen, 2U);
    EXPECT_EQ(wheel.size(), 2U);
  }
}

TEST(timer_wheel_death_test, arming_a_pending_node_again_is_refused) {
  timer_wheel wheel;
  timer_node node;
  wheel.insert(node, 5);
  EXPECT_DEATH(wheel.insert(node, 6), "armed once at a time");
  EXPECT_TRUE(wheel.cancel(node));
}

}  // namespace
