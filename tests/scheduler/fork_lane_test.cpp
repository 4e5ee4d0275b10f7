#include <magpie/detail/fork_lane.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <magpie/detail/sync.hpp>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "support/fork_lane.hpp"

namespace {

using magpie::detail::basic_fork_lane;
using magpie::test::pop_if;
using magpie::test::push;

// What a lane does is the same with either kind of fence, though its owner takes another way.
struct asymmetric : magpie::detail::standard_sync {
  static constexpr const char* name = "asymmetric";
  static constexpr bool is_symmetric() noexcept { return false; }
};
struct symmetric : magpie::detail::standard_sync {
  static constexpr const char* name = "symmetric";
  static constexpr bool is_symmetric() noexcept { return true; }
};

template <class Lane>
class fork_lane : public testing::Test {};

template <class... Syncs>
struct lanes {
  using types = testing::Types<basic_fork_lane<int, Syncs>...>;

  template <class Lane>
  static std::string GetName(int index) {
    return std::array{Syncs::name...}[static_cast<std::size_t>(index)];
  }
};
using all_lanes = lanes<asymmetric, symmetric>;

TYPED_TEST_SUITE(fork_lane, all_lanes::types, all_lanes);

/// What a thief gets that asks for nothing.
template <class Lane>
int* public_item_of(Lane& from) {
  int* item = nullptr;
  return from.steal(item) == Lane::steal_result::stolen ? item : nullptr;
}

/// What a thief gets that takes what is hidden as well.
template <class Lane>
int* stolen_from(Lane& from) {
  int* item = nullptr;
  if (from.steal(item) == Lane::steal_result::hidden) {
    from.ask();
    from.raid();
    static_cast<void>(from.steal(item));
  }
  return item;
}

template <class Lane>
typename Lane::steal_result look_at(Lane& from) {
  int* item = nullptr;
  return from.steal(item);
}

TYPED_TEST(fork_lane, is_empty_at_first) {
  TypeParam items{2};
  EXPECT_TRUE(items.looks_empty());
  EXPECT_EQ(items.pop(), nullptr);
  int untouched = 0;
  int* item = &untouched;
  EXPECT_EQ(items.steal(item), TypeParam::steal_result::empty);
  EXPECT_EQ(item, &untouched);
  EXPECT_FALSE(pop_if(items, untouched));
  EXPECT_TRUE(items.looks_empty());
}

TYPED_TEST(fork_lane, the_owner_takes_the_newest_first) {
  TypeParam items;
  std::vector<int> all(100);
  for (int& each : all) ASSERT_TRUE(push(items, each));
  EXPECT_FALSE(items.looks_empty());
  for (std::size_t i = all.size(); i-- > 0;) ASSERT_EQ(items.pop(), &all[i]) << i;
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TYPED_TEST(fork_lane, thieves_take_the_oldest_first) {
  TypeParam items;
  std::vector<int> all(100);
  for (int& each : all) ASSERT_TRUE(push(items, each));
  for (int& each : all) ASSERT_EQ(stolen_from(items), &each);
  EXPECT_EQ(stolen_from(items), nullptr);
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TYPED_TEST(fork_lane, the_last_item_goes_to_either_end_once) {
  TypeParam items{2};
  int one = 0;
  for (int round = 0; round < 100; ++round) {
    ASSERT_TRUE(push(items, one));
    ASSERT_EQ(items.pop(), &one);
    ASSERT_EQ(stolen_from(items), nullptr);
    ASSERT_TRUE(push(items, one));
    ASSERT_EQ(stolen_from(items), &one);
    ASSERT_EQ(items.pop(), nullptr);
    ASSERT_TRUE(items.looks_empty());
  }
}

TYPED_TEST(fork_lane, grows_from_two_and_keeps_the_order) {
  // Where the ring stands when it grows decides which slots the copy must wrap around.
  for (std::size_t stolen_before = 0; stolen_before < 9; ++stolen_before) {
    SCOPED_TRACE(stolen_before);
    TypeParam items{2};
    int passing = 0;
    for (std::size_t i = 0; i < stolen_before; ++i) {
      ASSERT_TRUE(push(items, passing));
      ASSERT_EQ(stolen_from(items), &passing);
    }
    std::vector<int> all(1000);
    for (int& each : all) ASSERT_TRUE(push(items, each));
    for (std::size_t i = 0; i < 500; ++i) {
      ASSERT_EQ(stolen_from(items), &all[i]) << i;
      ASSERT_EQ(items.pop(), &all[999 - i]) << i;
    }
    EXPECT_TRUE(items.looks_empty());
  }
}

TYPED_TEST(fork_lane, pop_if_takes_the_newest_only) {
  TypeParam items{2};
  int older = 0;
  int newer = 0;
  ASSERT_TRUE(push(items, older));
  ASSERT_TRUE(push(items, newer));
  EXPECT_FALSE(pop_if(items, older));
  EXPECT_TRUE(pop_if(items, newer));
  EXPECT_FALSE(pop_if(items, newer));
  EXPECT_TRUE(pop_if(items, older));
  EXPECT_FALSE(pop_if(items, older));
  EXPECT_TRUE(items.looks_empty());
}

// The slots still hold the pointers of items that are gone.
TYPED_TEST(fork_lane, pop_if_is_not_deceived_by_what_a_slot_held_before) {
  TypeParam items{2};
  int first = 0;
  int second = 0;
  ASSERT_TRUE(push(items, first));
  ASSERT_EQ(stolen_from(items), &first);
  EXPECT_FALSE(pop_if(items, first));
  ASSERT_TRUE(push(items, second));
  ASSERT_EQ(items.pop(), &second);
  EXPECT_FALSE(pop_if(items, first));
  EXPECT_FALSE(pop_if(items, second));

  ASSERT_TRUE(push(items, first));
  ASSERT_TRUE(push(items, second));
  ASSERT_EQ(stolen_from(items), &first);
  EXPECT_FALSE(pop_if(items, first));
  EXPECT_TRUE(pop_if(items, second));
  EXPECT_FALSE(pop_if(items, first));
  EXPECT_TRUE(items.looks_empty());
}

TYPED_TEST(fork_lane, pop_above_leaves_what_lies_below_the_mark) {
  TypeParam items{2};
  int below = 0;
  int above = 0;
  ASSERT_TRUE(push(items, below));
  const auto mark = items.mark();
  EXPECT_EQ(items.pop_above(mark), nullptr);
  ASSERT_TRUE(push(items, above));
  EXPECT_EQ(items.pop_above(mark), &above);
  EXPECT_EQ(items.pop_above(mark), nullptr);
  ASSERT_TRUE(push(items, above));
  EXPECT_EQ(stolen_from(items), &below);
  EXPECT_EQ(stolen_from(items), &above);
  EXPECT_EQ(items.pop_above(mark), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TYPED_TEST(fork_lane, items_are_hidden_until_a_thief_asks) {
  TypeParam items{2};
  std::vector<int> all(4);
  for (int& each : all) ASSERT_TRUE(push(items, each));
  EXPECT_EQ(look_at(items), TypeParam::steal_result::hidden);
  EXPECT_EQ(look_at(items), TypeParam::steal_result::hidden);
  EXPECT_FALSE(items.looks_empty());
  items.ask();
  EXPECT_EQ(look_at(items), TypeParam::steal_result::hidden);  // the owner has not answered
  for (std::size_t i = all.size(); i-- > 0;) EXPECT_TRUE(pop_if(items, all[i])) << i;
  EXPECT_EQ(look_at(items), TypeParam::steal_result::empty);
}

TYPED_TEST(fork_lane, the_next_push_answers_with_the_older_half) {
  TypeParam items;
  std::vector<int> all(5);
  for (std::size_t i = 0; i < 4; ++i) ASSERT_TRUE(push(items, all[i]));
  items.ask();
  items.ask();
  ASSERT_TRUE(push(items, all[4]));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(public_item_of(items), &all[i]) << i;
  EXPECT_EQ(look_at(items), TypeParam::steal_result::hidden);
  EXPECT_EQ(items.pop(), &all[4]);
  EXPECT_EQ(items.pop(), &all[3]);
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TYPED_TEST(fork_lane, the_next_pop_answers_with_the_older_half) {
  TypeParam items;
  std::vector<int> all(5);
  for (int& each : all) ASSERT_TRUE(push(items, each));
  items.ask();
  EXPECT_EQ(items.pop(), &all[4]);
  EXPECT_EQ(public_item_of(items), &all[0]);
  EXPECT_EQ(public_item_of(items), &all[1]);
  EXPECT_EQ(look_at(items), TypeParam::steal_result::hidden);
  EXPECT_EQ(items.pop(), &all[3]);
  EXPECT_EQ(items.pop(), &all[2]);
  EXPECT_TRUE(items.looks_empty());
}

TYPED_TEST(fork_lane, who_asks_the_empty_lane_gets_the_first_push) {
  TypeParam items;
  int one = 0;
  items.ask();
  EXPECT_EQ(items.pop(), nullptr);  // an answer, too
  items.ask();
  ASSERT_TRUE(push(items, one));
  EXPECT_EQ(public_item_of(items), &one);
  EXPECT_EQ(items.pop(), nullptr);
}

TYPED_TEST(fork_lane, a_raid_takes_everything_without_the_owner) {
  TypeParam items{2};
  std::vector<int> all(6);
  for (int& each : all) ASSERT_TRUE(push(items, each));
  items.raid();  // nobody has asked
  EXPECT_EQ(look_at(items), TypeParam::steal_result::hidden);
  items.ask();
  std::thread([&] {
    items.raid();
    for (int& each : all) EXPECT_EQ(public_item_of(items), &each);
    EXPECT_EQ(look_at(items), TypeParam::steal_result::empty);
  }).join();
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TYPED_TEST(fork_lane, the_owner_goes_on_after_a_raid) {
  TypeParam items{2};
  std::vector<int> all(9);
  for (std::size_t i = 0; i < 6; ++i) ASSERT_TRUE(push(items, all[i]));
  items.ask();
  items.raid();
  EXPECT_EQ(public_item_of(items), &all[0]);
  EXPECT_TRUE(pop_if(items, all[5]));  // takes back one half of five
  EXPECT_EQ(public_item_of(items), &all[1]);
  EXPECT_EQ(public_item_of(items), &all[2]);
  EXPECT_EQ(public_item_of(items), &all[3]);
  EXPECT_EQ(look_at(items), TypeParam::steal_result::hidden);
  for (std::size_t i = 6; i < 9; ++i) ASSERT_TRUE(push(items, all[i]));
  for (const std::size_t expected : {8U, 7U, 6U, 4U}) EXPECT_EQ(items.pop(), &all[expected]);
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TYPED_TEST(fork_lane, a_lane_can_be_raided_again_and_again) {
  TypeParam items{2};
  std::vector<int> all(3);
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    for (int& each : all) ASSERT_TRUE(push(items, each));
    ASSERT_EQ(look_at(items), TypeParam::steal_result::hidden);
    items.ask();
    items.raid();
    items.raid();  // without effect
    ASSERT_EQ(public_item_of(items), &all[0]);
    if (round % 2 == 0) {
      ASSERT_TRUE(pop_if(items, all[2]));
    }
    while (public_item_of(items) != nullptr) continue;
    while (items.pop() != nullptr) continue;
    ASSERT_TRUE(items.looks_empty());
  }
}

// A standard atomic whose arrays, the rings of the lane, can be refused.
struct short_of_memory : magpie::detail::standard_sync {
  template <class T>
  struct atomic : std::atomic<T> {
    using std::atomic<T>::atomic;

    static void* operator new[](std::size_t size) {
      if (refusing) throw std::bad_alloc();
      return ::operator new[](size);
    }
    static void operator delete[](void* block) noexcept { ::operator delete[](block); }
  };

  inline static bool refusing = false;
};

TEST(fork_lane_memory, a_push_that_cannot_grow_changes_nothing) {
  basic_fork_lane<int, short_of_memory> items{2};
  std::vector<int> all(8);
  ASSERT_TRUE(push(items, all[0]));
  ASSERT_TRUE(push(items, all[1]));
  short_of_memory::refusing = true;
  EXPECT_FALSE(push(items, all[2]));
  EXPECT_FALSE(push(items, all[2]));
  EXPECT_TRUE(pop_if(items, all[1]));
  EXPECT_TRUE(push(items, all[3]));
  EXPECT_FALSE(push(items, all[4]));
  short_of_memory::refusing = false;
  EXPECT_TRUE(push(items, all[4]));
  for (const std::size_t expected : {4U, 3U, 0U}) EXPECT_EQ(items.pop(), &all[expected]);
  EXPECT_TRUE(items.looks_empty());
}

TEST(fork_lane_memory, a_full_ring_is_used_again_without_growing) {
  basic_fork_lane<int, short_of_memory> items{4};
  short_of_memory::refusing = true;
  std::vector<int> all(64);
  std::size_t oldest = 0;
  for (std::size_t newest = 0; newest < all.size(); ++newest) {
    if (newest - oldest == 4) {
      ASSERT_EQ(stolen_from(items), &all[oldest]);
      ++oldest;
    }
    ASSERT_TRUE(push(items, all[newest])) << newest;
  }
  short_of_memory::refusing = false;
  while (oldest < all.size()) {
    ASSERT_EQ(stolen_from(items), &all[oldest]);
    ++oldest;
  }
  EXPECT_TRUE(items.looks_empty());
}

}  // namespace
