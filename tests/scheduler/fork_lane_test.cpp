#include <magpie/fork_lane.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/asymmetric_fence.hpp>
#include <magpie/sync.hpp>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/random.hpp"
#include "support/scale.hpp"

namespace {

using magpie::detail::basic_fork_lane;
using magpie::test::announced_seed;
using magpie::test::scaled;

using lane = basic_fork_lane<int>;
using steal_result = lane::steal_result;

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

steal_result look_at(lane& items) {
  int* item = nullptr;
  return items.steal(item);
}

TEST(fork_lane, is_empty_at_first) {
  lane items{2};
  EXPECT_TRUE(items.looks_empty());
  EXPECT_EQ(items.pop(), nullptr);
  int untouched = 0;
  int* item = &untouched;
  EXPECT_EQ(items.steal(item), steal_result::empty);
  EXPECT_EQ(item, &untouched);
  EXPECT_FALSE(items.pop_if(untouched));
  EXPECT_TRUE(items.looks_empty());
}

TEST(fork_lane, the_owner_takes_the_newest_first) {
  lane items;
  std::vector<int> all(100);
  for (int& each : all) ASSERT_TRUE(items.push(each));
  EXPECT_FALSE(items.looks_empty());
  for (std::size_t i = all.size(); i-- > 0;) ASSERT_EQ(items.pop(), &all[i]) << i;
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TEST(fork_lane, thieves_take_the_oldest_first) {
  lane items;
  std::vector<int> all(100);
  for (int& each : all) ASSERT_TRUE(items.push(each));
  for (int& each : all) ASSERT_EQ(stolen_from(items), &each);
  EXPECT_EQ(stolen_from(items), nullptr);
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TEST(fork_lane, the_last_item_goes_to_either_end_once) {
  lane items{2};
  int one = 0;
  for (int round = 0; round < 100; ++round) {
    ASSERT_TRUE(items.push(one));
    ASSERT_EQ(items.pop(), &one);
    ASSERT_EQ(stolen_from(items), nullptr);
    ASSERT_TRUE(items.push(one));
    ASSERT_EQ(stolen_from(items), &one);
    ASSERT_EQ(items.pop(), nullptr);
    ASSERT_TRUE(items.looks_empty());
  }
}

TEST(fork_lane, grows_from_two_and_keeps_the_order) {
  // Where the ring stands when it grows decides which slots the copy must wrap around.
  for (std::size_t stolen_before = 0; stolen_before < 9; ++stolen_before) {
    SCOPED_TRACE(stolen_before);
    lane items{2};
    int passing = 0;
    for (std::size_t i = 0; i < stolen_before; ++i) {
      ASSERT_TRUE(items.push(passing));
      ASSERT_EQ(stolen_from(items), &passing);
    }
    std::vector<int> all(1000);
    for (int& each : all) ASSERT_TRUE(items.push(each));
    for (std::size_t i = 0; i < 500; ++i) {
      ASSERT_EQ(stolen_from(items), &all[i]) << i;
      ASSERT_EQ(items.pop(), &all[999 - i]) << i;
    }
    EXPECT_TRUE(items.looks_empty());
  }
}

TEST(fork_lane, pop_if_takes_the_newest_only) {
  lane items{2};
  int older = 0;
  int newer = 0;
  ASSERT_TRUE(items.push(older));
  ASSERT_TRUE(items.push(newer));
  EXPECT_FALSE(items.pop_if(older));
  EXPECT_TRUE(items.pop_if(newer));
  EXPECT_FALSE(items.pop_if(newer));
  EXPECT_TRUE(items.pop_if(older));
  EXPECT_FALSE(items.pop_if(older));
  EXPECT_TRUE(items.looks_empty());
}

// The slots still hold the pointers of items that are gone.
TEST(fork_lane, pop_if_is_not_deceived_by_what_a_slot_held_before) {
  lane items{2};
  int first = 0;
  int second = 0;
  ASSERT_TRUE(items.push(first));
  ASSERT_EQ(stolen_from(items), &first);
  EXPECT_FALSE(items.pop_if(first));
  ASSERT_TRUE(items.push(second));
  ASSERT_EQ(items.pop(), &second);
  EXPECT_FALSE(items.pop_if(first));
  EXPECT_FALSE(items.pop_if(second));

  ASSERT_TRUE(items.push(first));
  ASSERT_TRUE(items.push(second));
  ASSERT_EQ(stolen_from(items), &first);
  EXPECT_FALSE(items.pop_if(first));
  EXPECT_TRUE(items.pop_if(second));
  EXPECT_FALSE(items.pop_if(first));
  EXPECT_TRUE(items.looks_empty());
}

TEST(fork_lane, items_are_hidden_until_a_thief_asks) {
  lane items{2};
  std::vector<int> all(4);
  for (int& each : all) ASSERT_TRUE(items.push(each));
  EXPECT_EQ(look_at(items), steal_result::hidden);
  EXPECT_EQ(look_at(items), steal_result::hidden);
  EXPECT_FALSE(items.looks_empty());
  items.ask();
  EXPECT_EQ(look_at(items), steal_result::hidden);  // the owner has not answered
  for (std::size_t i = all.size(); i-- > 0;) EXPECT_TRUE(items.pop_if(all[i])) << i;
  EXPECT_EQ(look_at(items), steal_result::empty);
}

TEST(fork_lane, the_next_push_answers_with_the_older_half) {
  lane items;
  std::vector<int> all(5);
  for (std::size_t i = 0; i < 4; ++i) ASSERT_TRUE(items.push(all[i]));
  items.ask();
  items.ask();
  ASSERT_TRUE(items.push(all[4]));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(public_item_of(items), &all[i]) << i;
  EXPECT_EQ(look_at(items), steal_result::hidden);
  EXPECT_EQ(items.pop(), &all[4]);
  EXPECT_EQ(items.pop(), &all[3]);
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TEST(fork_lane, the_next_pop_answers_with_the_older_half) {
  lane items;
  std::vector<int> all(5);
  for (int& each : all) ASSERT_TRUE(items.push(each));
  items.ask();
  EXPECT_EQ(items.pop(), &all[4]);
  EXPECT_EQ(public_item_of(items), &all[0]);
  EXPECT_EQ(public_item_of(items), &all[1]);
  EXPECT_EQ(look_at(items), steal_result::hidden);
  EXPECT_EQ(items.pop(), &all[3]);
  EXPECT_EQ(items.pop(), &all[2]);
  EXPECT_TRUE(items.looks_empty());
}

TEST(fork_lane, who_asks_the_empty_lane_gets_the_first_push) {
  lane items;
  int one = 0;
  items.ask();
  EXPECT_EQ(items.pop(), nullptr);  // an answer, too
  items.ask();
  ASSERT_TRUE(items.push(one));
  EXPECT_EQ(public_item_of(items), &one);
  EXPECT_EQ(items.pop(), nullptr);
}

TEST(fork_lane, a_raid_takes_everything_without_the_owner) {
  lane items{2};
  std::vector<int> all(6);
  for (int& each : all) ASSERT_TRUE(items.push(each));
  items.raid();  // nobody has asked
  EXPECT_EQ(look_at(items), steal_result::hidden);
  items.ask();
  std::thread([&] {
    items.raid();
    for (int& each : all) EXPECT_EQ(public_item_of(items), &each);
    EXPECT_EQ(look_at(items), steal_result::empty);
  }).join();
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TEST(fork_lane, the_owner_goes_on_after_a_raid) {
  lane items{2};
  std::vector<int> all(9);
  for (std::size_t i = 0; i < 6; ++i) ASSERT_TRUE(items.push(all[i]));
  items.ask();
  items.raid();
  EXPECT_EQ(public_item_of(items), &all[0]);
  EXPECT_TRUE(items.pop_if(all[5]));  // takes back one half of five
  EXPECT_EQ(public_item_of(items), &all[1]);
  EXPECT_EQ(public_item_of(items), &all[2]);
  EXPECT_EQ(public_item_of(items), &all[3]);
  EXPECT_EQ(look_at(items), steal_result::hidden);
  for (std::size_t i = 6; i < 9; ++i) ASSERT_TRUE(items.push(all[i]));
  for (const std::size_t expected : {8U, 7U, 6U, 4U}) EXPECT_EQ(items.pop(), &all[expected]);
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_TRUE(items.looks_empty());
}

TEST(fork_lane, a_lane_can_be_raided_again_and_again) {
  lane items{2};
  std::vector<int> all(3);
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    for (int& each : all) ASSERT_TRUE(items.push(each));
    ASSERT_EQ(look_at(items), steal_result::hidden);
    items.ask();
    items.raid();
    items.raid();  // without effect
    ASSERT_EQ(public_item_of(items), &all[0]);
    if (round % 2 == 0) {
      ASSERT_TRUE(items.pop_if(all[2]));
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

TEST(fork_lane, a_push_that_cannot_grow_changes_nothing) {
  basic_fork_lane<int, short_of_memory> items{2};
  std::vector<int> all(8);
  ASSERT_TRUE(items.push(all[0]));
  ASSERT_TRUE(items.push(all[1]));
  short_of_memory::refusing = true;
  EXPECT_FALSE(items.push(all[2]));
  EXPECT_FALSE(items.push(all[2]));
  EXPECT_TRUE(items.pop_if(all[1]));
  EXPECT_TRUE(items.push(all[3]));
  EXPECT_FALSE(items.push(all[4]));
  short_of_memory::refusing = false;
  EXPECT_TRUE(items.push(all[4]));
  for (const std::size_t expected : {4U, 3U, 0U}) EXPECT_EQ(items.pop(), &all[expected]);
  EXPECT_TRUE(items.looks_empty());
}

TEST(fork_lane, a_full_ring_is_used_again_without_growing) {
  basic_fork_lane<int, short_of_memory> items{4};
  short_of_memory::refusing = true;
  std::vector<int> all(64);
  std::size_t oldest = 0;
  for (std::size_t newest = 0; newest < all.size(); ++newest) {
    if (newest - oldest == 4) {
      ASSERT_EQ(stolen_from(items), &all[oldest]);
      ++oldest;
    }
    ASSERT_TRUE(items.push(all[newest])) << newest;
  }
  short_of_memory::refusing = false;
  while (oldest < all.size()) {
    ASSERT_EQ(stolen_from(items), &all[oldest]);
    ++oldest;
  }
  EXPECT_TRUE(items.looks_empty());
}

// Three thieves against an owner that pushes and pops in bursts of all sizes, on one lane.
class robbery {
 public:
  struct element {
    std::atomic<std::uint8_t> seen{0};
  };

  robbery(std::vector<element>& all, std::uint64_t seed)
      : all_{all}, random_{seed}, burst_bits_{1 + random_() % 11} {}

  void run() {
    std::vector<std::thread> thieves;
    thieves.reserve(3);
    for (const int patience : {0, 3, 100}) {
      thieves.emplace_back([this, patience] { steal_all(patience); });
    }
    own();
    finished_.store(true, std::memory_order_release);
    for (std::thread& each : thieves) each.join();
  }

  std::size_t popped = 0;
  std::atomic<std::size_t> stolen{0};
  std::atomic<std::size_t> raids{0};

 private:
  void own() {
    std::size_t next = 0;
    while (next < all_.size() && !testing::Test::HasFailure()) {
      for (std::uint64_t burst = size_of_burst(); burst > 0 && next < all_.size(); --burst) {
        ASSERT_TRUE(lane_.push(all_[next]));
        mine_.push_back(&all_[next++]);
      }
      for (std::uint64_t burst = size_of_burst(); burst > 0 && !mine_.empty(); --burst) {
        ASSERT_NO_FATAL_FAILURE(pop_one());
      }
    }
    while (!mine_.empty()) ASSERT_NO_FATAL_FAILURE(pop_one());
    ASSERT_TRUE(lane_.looks_empty());
  }

  // Most bursts are short, so that owner and thieves often meet at the last item; with a small
  // limit the lane stays so small that its slots are used again and again.
  std::uint64_t size_of_burst() {
    return 1 + random_() % (std::uint64_t{1} << random_() % burst_bits_);
  }

  void pop_one() {
    element* const newest = mine_.back();
    element* item = nullptr;
    if (random_() % 2 == 0) {
      item = lane_.pop();
    } else if (lane_.pop_if(*newest)) {
      item = newest;
    }
    if (item == nullptr) {  // thieves have it, and so everything older
      mine_.clear();
      return;
    }
    ASSERT_EQ(item, newest);
    item->seen.fetch_add(1, std::memory_order_relaxed);
    mine_.pop_back();
    ++popped;
  }

  /// Asks whenever all is hidden, and raids when it has asked `patience` times in a row in vain.
  void steal_all(int patience) {
    std::size_t count = 0;
    std::size_t raided = 0;
    int asked = 0;
    const element* last = nullptr;
    while (!finished_.load(std::memory_order_acquire)) {
      element* item = nullptr;
      switch (lane_.steal(item)) {
        case basic_fork_lane<element>::steal_result::empty:
          std::this_thread::yield();
          break;
        case basic_fork_lane<element>::steal_result::hidden:
          lane_.ask();
          if (asked++ < patience) break;
          lane_.raid();
          ++raided;
          asked = 0;
          break;
        case basic_fork_lane<element>::steal_result::lost_race:
          break;
        case basic_fork_lane<element>::steal_result::stolen:
          item->seen.fetch_add(1, std::memory_order_relaxed);
          if (last >= item) ADD_FAILURE() << "stolen out of order";
          last = item;
          ++count;
          asked = 0;
      }
    }
    stolen.fetch_add(count, std::memory_order_relaxed);
    raids.fetch_add(raided, std::memory_order_relaxed);
  }

  std::vector<element>& all_;
  std::mt19937_64 random_;
  const std::uint64_t burst_bits_;
  basic_fork_lane<element> lane_{2};
  std::vector<element*> mine_;  // pushed, and as far as the owner knows still there
  std::atomic<bool> finished_{false};
};

TEST(fork_lane, each_element_is_seen_exactly_once) {
  magpie::detail::asymmetric_fence::initialise();  // the raids' fence is the one of a runtime
  const std::uint64_t seed = announced_seed();
  constexpr std::size_t lanes = 100;  // each grows from 2 anew
  const std::size_t elements = scaled(1e8) / lanes;
  std::size_t popped = 0;
  std::size_t stolen = 0;
  std::size_t raids = 0;
  for (std::size_t i = 0; i < lanes && !HasFailure(); ++i) {
    SCOPED_TRACE("MAGPIE_SEED=" + std::to_string(seed) + ", lane " + std::to_string(i));
    std::vector<robbery::element> all(elements);
    robbery one{all, seed + i};
    one.run();
    popped += one.popped;
    stolen += one.stolen.load();
    raids += one.raids.load();
    std::size_t wrong = 0;
    for (const robbery::element& each : all) wrong += each.seen.load() != 1 ? 1 : 0;
    EXPECT_EQ(wrong, 0U);
  }
  EXPECT_EQ(popped + stolen, elements * lanes);
  EXPECT_GT(popped, 0U);
  EXPECT_GT(stolen, 0U);
  EXPECT_GT(raids, 0U);
}

}  // namespace
