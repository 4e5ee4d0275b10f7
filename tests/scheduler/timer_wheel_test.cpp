#include "scheduler/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/random.hpp"
#include "support/scale.hpp"

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

// The wheel against a sorted set, which says exactly what each advance() must hand out.
class differential {
 public:
  differential(std::uint64_t start, std::uint64_t seed)
      : random_{seed}, now_{start}, wheel_{start} {
    // Each wheel has its own pace, so that the clock of most does not run to its end at once.
    advance_bits_ = below(4) == 0 ? below(64) : below(16);
    timer_bits_ = below(65);
  }

  void run(std::size_t operations) {
    while (operations-- > 0 && !testing::Test::HasFailure()) {
      const std::uint64_t choice = below(100);
      if (choice < 45) {
        insert_one();
      } else if (choice < 75) {
        cancel_one();
      } else if (choice < 99) {
        advance(saturating(now_, distance(advance_bits_)));
      } else {
        advance(now_ - std::min(now_, distance(advance_bits_)));
      }
      compare();
    }
    callbacks_insert_ = false;
    while (!model_.empty() && !testing::Test::HasFailure()) {
      advance(below(2) == 0 ? greatest : wheel_.next_tick().value_or(greatest));
      compare();
    }
  }

 private:
  struct entry : timer_node {
    std::uint64_t sequence = 0;
  };

  // A node inserted late is due where the clock stands: so the order of all is that of the keys.
  using key = std::pair<std::uint64_t, std::uint64_t>;

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  static std::uint64_t saturating(std::uint64_t tick, std::uint64_t more) {
    return more > greatest - tick ? greatest : tick + more;
  }

  // Of all magnitudes up to 2^bits alike.
  std::uint64_t distance(std::uint64_t bits) {
    const std::uint64_t wanted = below(bits + 1);
    return wanted == 0 ? below(2) : random_() >> (64 - wanted);
  }

  std::uint64_t some_tick() {
    const std::uint64_t choice = below(10);
    if (choice == 0) {
      return now_ - std::min(now_, distance(timer_bits_));
    }
    if (choice == 1) {  // around the edge of a slot of some level
      const std::uint64_t low_digits = greatest >> (4 + timer_wheel::bits_per_level * below(10));
      const std::uint64_t last = now_ | low_digits;
      return below(3) == 0 ? last - 1 : saturating(last, below(2));
    }
    if (choice == 2 && !model_.empty()) {  // one that another timer has
      return below(2) == 0 ? model_.begin()->first : model_.rbegin()->first;
    }
    return saturating(now_, distance(timer_bits_));
  }

  void insert(entry& node, std::uint64_t tick) {
    wheel_.insert(node, tick);
    node.sequence = next_sequence_++;
    model_.insert(key_of(node));
  }

  void insert_one() {
    entry& node = entries_[below(entries_.size())];
    if (!node.is_linked()) {
      insert(node, some_tick());
    }
  }

  void cancel_one() {
    entry& node = entries_[below(entries_.size())];
    const bool was_pending = model_.erase(key_of(node)) != 0;
    ASSERT_EQ(wheel_.cancel(node), was_pending);
    ASSERT_FALSE(node.is_linked());
  }

  // The clock of the insertion is not kept: a due node is known by its tick, since every advance()
  // takes all of them.
  key key_of(const entry& node) const { return {std::max(node.tick, now_), node.sequence}; }

  void advance(std::uint64_t wanted) {
    timer_node* node = wheel_.advance(wanted);
    const std::uint64_t tick = std::max(wanted, now_);
    std::vector<key> expected;
    while (!model_.empty() && model_.begin()->first <= tick) {
      expected.push_back(*model_.begin());
      model_.erase(model_.begin());
    }
    const std::uint64_t before = std::exchange(now_, tick);
    std::size_t seen = 0;
    while (node != nullptr) {
      auto& expired = static_cast<entry&>(*node);
      node = node->next;
      ASSERT_LT(seen, expected.size());
      ASSERT_EQ(key(std::max(expired.tick, before), expired.sequence), expected[seen]);
      ++seen;
      ASSERT_FALSE(wheel_.cancel(expired));
      if (callbacks_insert_ && below(4) == 0) {
        insert(expired, below(2) == 0 ? tick : some_tick());
      } else if (below(4) == 0) {
        ASSERT_NO_FATAL_FAILURE(cancel_one());
      }
    }
    ASSERT_EQ(seen, expected.size());
  }

  // What next_tick() must be, one digit after the other, from the top.
  std::optional<std::uint64_t> expected_next_tick() const {
    if (model_.empty()) {
      return std::nullopt;
    }
    const std::uint64_t earliest = model_.begin()->first;
    for (unsigned shift = 60; shift > 0; shift -= 6) {
      if (earliest >> shift != now_ >> shift) {
        return earliest >> shift << shift;
      }
    }
    return earliest;
  }

  void compare() {
    if (testing::Test::HasFatalFailure()) {
      return;
    }
    ASSERT_EQ(wheel_.size(), model_.size());
    ASSERT_EQ(wheel_.empty(), model_.empty());
    ASSERT_EQ(wheel_.now(), now_);
    ASSERT_EQ(wheel_.next_tick(), expected_next_tick());
  }

  std::mt19937_64 random_;
  std::uint64_t now_;
  timer_wheel wheel_;
  std::set<key> model_;
  std::vector<entry> entries_ = std::vector<entry>(200);
  std::uint64_t next_sequence_ = 1;  // 0: never inserted
  std::uint64_t advance_bits_ = 0;
  std::uint64_t timer_bits_ = 0;
  bool callbacks_insert_ = true;
};

TEST(timer_wheel, does_what_a_sorted_set_does) {
  const std::uint64_t seed = magpie::test::announced_seed();

  std::vector<std::uint64_t> starts{0, greatest - 1};
  for (const unsigned bit : {31U, 32U, 36U}) {
    const std::uint64_t edge = std::uint64_t{1} << bit;
    for (std::uint64_t tick = edge - 3; tick <= edge + 3; ++tick) {
      starts.push_back(tick);
    }
  }

  constexpr std::size_t operations_a_wheel = 400;
  const std::size_t operations = magpie::test::scaled(1e7);
  const std::size_t wheels = std::max(starts.size(), operations / operations_a_wheel);
  for (std::size_t wheel = 0; wheel < wheels && !HasFailure(); ++wheel) {
    const std::uint64_t start = starts[wheel % starts.size()];
    SCOPED_TRACE("MAGPIE_SEED=" + std::to_string(seed) + ", wheel " + std::to_string(wheel) +
                 ", clock from " + std::to_string(start));
    differential{start, seed + wheel}.run(operations_a_wheel);
  }
}

}  // namespace
