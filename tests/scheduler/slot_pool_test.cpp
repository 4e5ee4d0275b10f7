#include <magpie/detail/slot_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <magpie/frame_statistics.hpp>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "scheduler/slabs.hpp"
#include "support/eventually.hpp"
#include "support/scale.hpp"

namespace {

using magpie::trim_frames;
using magpie::detail::allocate_slot;
using magpie::detail::for_each_used_slot;
using magpie::detail::free_slot;
using magpie::detail::slot;
using magpie::test::eventually;
using magpie::test::scaled;

// More than two slabs hold.
constexpr std::size_t many = 2000;

/// A slot in use: with a reference, and filled to see that nobody else writes there.
slot& take(std::uint64_t references = 1) {
  slot& taken = allocate_slot();
  EXPECT_EQ(taken.references.load(std::memory_order_relaxed), 0U);
  std::memset(taken.body, static_cast<int>(references % 251), slot::body_size);
  taken.references.store(references, std::memory_order_release);
  return taken;
}

bool is_intact(const slot& taken) {
  const auto filling = static_cast<std::byte>(taken.references.load() % 251);
  return std::all_of(taken.body, taken.body + slot::body_size,
                     [filling](std::byte each) { return each == filling; });
}

void give_back(slot& taken) {
  taken.references.store(0, std::memory_order_relaxed);
  free_slot(taken);
}

std::vector<slot*> take_many(std::size_t count) {
  std::vector<slot*> taken;
  taken.reserve(count);
  for (std::size_t i = 1; i <= count; ++i) taken.push_back(&take(i));
  return taken;
}

void give_back(const std::vector<slot*>& taken) {
  for (slot* const each : taken) give_back(*each);
}

/// All slots there are that have references, by what these are.
std::multiset<std::uint64_t> references_seen() {
  std::multiset<std::uint64_t> seen;
  for_each_used_slot([&seen](slot& each) {
    if (const std::uint64_t count = each.references.load()) seen.insert(count);
  });
  return seen;
}

/// In a thread that ends, so that what it keeps for itself goes back to where all have it.
template <class Work>
void elsewhere(Work work) {
  std::thread(work).join();
}

TEST(slot_pool, gives_slots_that_nobody_else_has) {
  const std::vector<slot*> taken = take_many(many);
  EXPECT_EQ((std::set<slot*>(taken.begin(), taken.end()).size()), many);
  for (const slot* const each : taken) {
    EXPECT_TRUE(is_intact(*each));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(each->body) % 8, 0U);
    EXPECT_EQ(&slot::of(const_cast<std::byte*>(each->body)), each);
  }
  give_back(taken);
}

TEST(slot_pool, shows_those_in_use_and_each_once) {
  EXPECT_TRUE(references_seen().empty());
  const std::vector<slot*> taken = take_many(many);
  std::multiset<std::uint64_t> expected;
  for (std::uint64_t i = 1; i <= many; ++i) expected.insert(i);
  EXPECT_EQ(references_seen(), expected);
  for (std::size_t i = 0; i < many; i += 2) give_back(*taken[i]);
  for (std::uint64_t i = 1; i <= many; i += 2) expected.erase(i);
  EXPECT_EQ(references_seen(), expected);
  for (std::size_t i = 1; i < many; i += 2) give_back(*taken[i]);
  EXPECT_TRUE(references_seen().empty());
}

TEST(slot_pool, shows_the_slots_of_all_threads) {
  slot* there = nullptr;
  elsewhere([&] { there = &take(7); });
  EXPECT_EQ(references_seen().count(7), 1U);
  give_back(*there);
}

// Who has found a slot may look at its references at any later time, whatever became of it: so
// nothing but the objects in it may write there. Here a number stays that no object would leave.
TEST(slot_pool, leaves_the_references_alone) {
  slot& in_the_same_slab = take(99);
  constexpr std::uint64_t first = 1000;
  std::vector<slot*> taken;
  for (std::uint64_t i = 0; i < 300; ++i) taken.push_back(&take(first + i));
  elsewhere([&taken] {
    for (slot* const each : taken) free_slot(*each);
  });
  EXPECT_EQ(references_seen().size(), 301U) << "when they were freed";
  std::set<slot*> again;
  std::set<std::uint64_t> found;
  // Slots that have been used are used again before others are cut, but perhaps not these first.
  while (found.size() < taken.size() && again.size() < 100'000) {
    slot& each = allocate_slot();
    again.insert(&each);
    if (const std::uint64_t count = each.references.load()) found.insert(count);
  }
  EXPECT_EQ(found.size(), taken.size()) << "when they were allocated";
  for (slot* const each : again) give_back(*each);
  give_back(in_the_same_slab);
}

TEST(slot_pool, takes_the_slots_of_other_threads) {
  const std::vector<slot*> first = take_many(many);
  const std::set<slot*> known(first.begin(), first.end());
  elsewhere([&first] { give_back(first); });
  std::vector<slot*> second;
  elsewhere([&second] { second = take_many(many); });
  const auto is_known = [&known](slot* each) { return known.count(each) != 0; };
  // But for the few that this thread has taken in advance.
  EXPECT_GE(std::count_if(second.begin(), second.end(), is_known), std::ptrdiff_t{many - 64});
  give_back(second);
}

TEST(slot_pool, needs_no_more_memory_when_slots_wander) {
  std::size_t reserved = 0;
  for (int round = 0; round < 20; ++round) {
    std::vector<slot*> wandering;
    elsewhere([&wandering] { wandering = take_many(many); });
    elsewhere([&wandering] { give_back(wandering); });
    const std::size_t now = magpie::frame_statistics().reserved_bytes;
    if (round == 0) reserved = now;
    EXPECT_EQ(now, reserved);
  }
}

TEST(slot_pool, gives_back_a_slab_when_all_of_its_slots_are_free) {
  trim_frames();
  std::vector<slot*> taken = take_many(many);
  const std::size_t live = magpie::frame_statistics().live;
  slot* const last = std::exchange(taken[many / 2], taken.back());
  taken.pop_back();
  give_back(taken);
  const std::uint64_t references = last->references.load();
  const std::size_t first_trim = trim_frames();
  EXPECT_GE(first_trim, magpie::detail::slab_size);
  EXPECT_EQ(first_trim % magpie::detail::slab_size, 0U);
  EXPECT_TRUE(is_intact(*last));
  EXPECT_EQ(references_seen(), std::multiset<std::uint64_t>{references});
  EXPECT_EQ(magpie::frame_statistics().live, live - (many - 1));
  EXPECT_EQ(trim_frames(), 0U) << "one is in use";
  give_back(*last);
  EXPECT_EQ(trim_frames(), magpie::detail::slab_size);
  EXPECT_TRUE(references_seen().empty());
  give_back(take_many(many));
}

// What all_tasks() relies on: who raises the references from anything but 0 has the object, as
// often as its slot changes hands meanwhile.
TEST(slot_pool, lets_others_share_what_is_in_use) {
  std::atomic<bool> finished{false};
  const auto drop = [](slot& shared) {
    if (shared.references.fetch_sub(1, std::memory_order_acq_rel) == 1) free_slot(shared);
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      std::vector<slot*> mine;
      while (!finished.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 100; ++i) {
          slot& made = allocate_slot();
          std::memset(made.body, 1, slot::body_size);
          made.references.store(1, std::memory_order_release);
          mine.push_back(&made);
        }
        for (slot* const each : mine) drop(*each);
        mine.clear();
        if (finished.load(std::memory_order_relaxed)) break;
        trim_frames();
      }
    });
  }
  std::size_t torn = 0;
  std::size_t shared_in_all = 0;
  const auto share_all = [&] {
    std::vector<slot*> shared;
    for_each_used_slot([&shared](slot& each) {
      std::uint64_t count = each.references.load(std::memory_order_relaxed);
      while (count != 0 &&
             !each.references.compare_exchange_weak(count, count + 1, std::memory_order_acquire,
                                                    std::memory_order_relaxed)) {
      }
      if (count != 0) shared.push_back(&each);
    });
    for (slot* const each : shared) {
      const auto is_one = [](std::byte part) { return part == std::byte{1}; };
      torn += std::all_of(each->body, each->body + slot::body_size, is_one) ? 0 : 1;
      drop(*each);
    }
    shared_in_all += shared.size();
    return shared_in_all != 0;
  };
  EXPECT_TRUE(eventually(share_all)) << "the threads take their time to begin";
  for (std::size_t round = 0; round < scaled(2e4); ++round) share_all();
  finished.store(true, std::memory_order_relaxed);
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(torn, 0U);
  EXPECT_TRUE(references_seen().empty());
}

}  // namespace
