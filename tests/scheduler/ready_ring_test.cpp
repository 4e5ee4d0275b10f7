#include "scheduler/ready_ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/sync.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/random.hpp"
#include "support/scale.hpp"

namespace {

using magpie::detail::basic_ready_ring;
using magpie::detail::standard_sync;
using magpie::test::announced_seed;
using magpie::test::scaled;

constexpr std::size_t room = 8;
using ring_of_ints = basic_ready_ring<int, standard_sync, room>;

/// Both ways in which an owner pops: among thieves, and as the only consumer.
using pop_function = int* (ring_of_ints::*)();

class ready_ring : public testing::TestWithParam<pop_function> {
 protected:
  [[nodiscard]] int* pop() { return (ring.*GetParam())(); }

  /// Pushes the numbers from `first` to `last`.
  void push(std::size_t first, std::size_t last) {
    for (std::size_t i = first; i <= last; ++i) ASSERT_TRUE(ring.push(numbers[i])) << i;
  }

  /// What a steal takes, as numbers.
  [[nodiscard]] std::vector<int> steal(std::size_t least, std::size_t most = room) {
    std::array<int*, room> items{};
    const std::size_t taken = ring.steal(least, items.data(), most);
    std::vector<int> found;
    for (std::size_t i = 0; i < taken; ++i) found.push_back(*items[i]);
    return found;
  }

  std::array<int, 16> numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  ring_of_ints ring;
};

INSTANTIATE_TEST_SUITE_P(owner, ready_ring,
                         testing::Values<pop_function>(&ring_of_ints::pop,
                                                       &ring_of_ints::pop_alone),
                         [](const testing::TestParamInfo<pop_function>& tested) -> std::string {
                           return tested.index == 0 ? "among_thieves" : "alone";
                         });

TEST_P(ready_ring, is_empty_at_first) {
  EXPECT_TRUE(ring.looks_empty());
  EXPECT_EQ(pop(), nullptr);
  EXPECT_TRUE(steal(1).empty());
}

TEST_P(ready_ring, is_first_in_first_out_for_its_owner) {
  push(1, 5);
  for (int expected = 1; expected <= 5; ++expected) {
    EXPECT_FALSE(ring.looks_empty());
    int* const popped = pop();
    ASSERT_NE(popped, nullptr);
    EXPECT_EQ(*popped, expected);
  }
  EXPECT_EQ(pop(), nullptr);
  EXPECT_TRUE(ring.looks_empty());
}

TEST_P(ready_ring, takes_as_many_as_it_has_room_for) {
  push(1, room);
  EXPECT_FALSE(ring.push(numbers[9]));
  EXPECT_EQ(pop(), &numbers[1]);
  EXPECT_TRUE(ring.push(numbers[9]));
  EXPECT_FALSE(ring.push(numbers[10]));
  for (std::size_t expected = 2; expected <= 9; ++expected) EXPECT_EQ(pop(), &numbers[expected]);
  EXPECT_EQ(pop(), nullptr);
}

TEST_P(ready_ring, has_the_room_again_that_a_thief_has_made) {
  push(1, room);
  EXPECT_EQ(steal(1), (std::vector{1, 2, 3, 4}));
  push(9, 12);
  EXPECT_FALSE(ring.push(numbers[13]));
  for (std::size_t expected = 5; expected <= 12; ++expected) EXPECT_EQ(pop(), &numbers[expected]);
}

TEST_P(ready_ring, keeps_its_order_over_many_laps) {
  std::vector<int> many(10'000);
  std::size_t pushed = 0;
  std::size_t popped = 0;
  for (std::size_t turn = 0; popped < many.size(); ++turn) {
    while (pushed < many.size() && ring.push(many[pushed])) ++pushed;
    ASSERT_TRUE(pushed == many.size() || pushed - popped == room);
    for (std::size_t i = 0; i <= turn % room && popped < pushed; ++i) {
      ASSERT_EQ(pop(), &many[popped++]);
    }
  }
  EXPECT_EQ(pop(), nullptr);
}

TEST_P(ready_ring, gives_a_thief_the_older_half) {
  for (int count = 2; count <= static_cast<int>(room); ++count) {
    push(1, static_cast<std::size_t>(count));
    std::vector<int> older;
    for (int i = 1; i <= (count + 1) / 2; ++i) older.push_back(i);
    EXPECT_EQ(steal(1), older);
    for (int i = (count + 1) / 2 + 1; i <= count; ++i) {
      EXPECT_EQ(pop(), &numbers[static_cast<std::size_t>(i)]);
    }
    EXPECT_EQ(pop(), nullptr);
  }
}

TEST_P(ready_ring, gives_a_thief_no_more_than_it_asks_for) {
  push(1, room);
  EXPECT_EQ(steal(1, 3), (std::vector{1, 2, 3}));
  EXPECT_EQ(steal(1, 1), (std::vector{4}));
  EXPECT_EQ(pop(), &numbers[5]);
}

TEST_P(ready_ring, gives_a_thief_nothing_when_there_are_fewer_than_it_wants) {
  push(1, 1);
  EXPECT_TRUE(steal(2).empty());
  EXPECT_EQ(steal(1), (std::vector{1}));
  push(1, 3);
  EXPECT_TRUE(steal(4).empty());
  EXPECT_EQ(steal(3), (std::vector{1, 2}));
  EXPECT_TRUE(steal(2).empty());
  EXPECT_EQ(pop(), &numbers[3]);
  EXPECT_TRUE(steal(1).empty());
}

// The owner pushes and pops while thieves steal. Each item is taken once, nobody gets an item
// before an older one, and the item's plain number is visible to whoever takes it.

struct numbered {
  std::size_t number = 0;
  std::atomic<unsigned> taken{0};
};

/// What one consumer has seen.
class witness {
 public:
  void saw(numbered& item) {
    if (item.taken.fetch_add(1, std::memory_order_relaxed) != 0) ADD_FAILURE() << "taken twice";
    if (item.number < next_) ADD_FAILURE() << "out of order: " << item.number << " at " << next_;
    next_ = item.number + 1;
  }

 private:
  std::size_t next_ = 1;
};

template <std::size_t capacity>
void contend(std::uint64_t seed) {
  constexpr std::size_t thieves = 3;
  basic_ready_ring<numbered, standard_sync, capacity> ring;
  std::vector<numbered> items(100'000);
  std::atomic<bool> finished{false};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < thieves; ++t) {
    threads.emplace_back([&, t] {
      witness mine;
      std::array<numbered*, capacity> stolen{};
      while (!finished.load(std::memory_order_relaxed)) {
        const std::size_t count = ring.steal(1 + t % 2, stolen.data(), 1 + t * capacity / 3);
        for (std::size_t i = 0; i < count; ++i) mine.saw(*stolen[i]);
        if (count == 0) std::this_thread::yield();
      }
    });
  }
  std::mt19937_64 random(seed);
  witness mine;
  const auto pop_some = [&](std::size_t most) {
    for (std::size_t i = 0; i < most; ++i) {
      numbered* const item = ring.pop();
      if (item == nullptr) return;
      mine.saw(*item);
    }
  };
  std::size_t number = 0;
  for (numbered& each : items) {
    each.number = ++number;
    while (!ring.push(each)) pop_some(1 + random() % capacity);
    if (random() % 16 == 0) pop_some(random() % capacity);
    if (random() % 256 == 0) std::this_thread::yield();
  }
  pop_some(capacity);
  EXPECT_EQ(ring.pop(), nullptr);
  EXPECT_TRUE(ring.looks_empty());
  finished.store(true, std::memory_order_relaxed);
  for (std::thread& each : threads) each.join();
  std::size_t missing = 0;
  for (const numbered& each : items) missing += each.taken.load() != 1 ? 1 : 0;
  EXPECT_EQ(missing, 0U);
}

TEST(ready_ring_stress, loses_and_doubles_nothing) {
  std::uint64_t seed = announced_seed();
  for (std::size_t round = 0; round < scaled(250) && !testing::Test::HasFailure(); ++round) {
    contend<4>(seed++);
    contend<256>(seed++);
  }
}

}  // namespace
