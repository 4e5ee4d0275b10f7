#include "scheduler/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
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
using magpie::test::announced_seed;
using magpie::test::scaled;

constexpr std::uint64_t greatest = std::numeric_limits<std::uint64_t>::max();

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
  const std::uint64_t seed = announced_seed();

  std::vector<std::uint64_t> starts{0, greatest - 1};
  for (const unsigned bit : {31U, 32U, 36U}) {
    const std::uint64_t edge = std::uint64_t{1} << bit;
    for (std::uint64_t tick = edge - 3; tick <= edge + 3; ++tick) {
      starts.push_back(tick);
    }
  }

  constexpr std::size_t operations_a_wheel = 400;
  const std::size_t operations = scaled(1e7);
  const std::size_t wheels = std::max(starts.size(), operations / operations_a_wheel);
  for (std::size_t wheel = 0; wheel < wheels && !HasFailure(); ++wheel) {
    const std::uint64_t start = starts[wheel % starts.size()];
    SCOPED_TRACE("MAGPIE_SEED=" + std::to_string(seed) + ", wheel " + std::to_string(wheel) +
                 ", clock from " + std::to_string(start));
    differential{start, seed + wheel}.run(operations_a_wheel);
  }
}

}  // namespace
