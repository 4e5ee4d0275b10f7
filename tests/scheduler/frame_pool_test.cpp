#include <magpie/detail/frame_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "support/frames.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

namespace {

using magpie::detail::allocate_frame;
using magpie::detail::frame_class;
using magpie::detail::free_frame;
using magpie::detail::magazine;
using magpie::test::announced_seed;
using magpie::test::ends_of_classes;
using magpie::test::frame;
using magpie::test::has_frame_pool;
using magpie::test::largest_pooled;
using magpie::test::scaled;

constexpr std::size_t held_by_a_thread = magazine::most;
// What moves between a thread and the others at once.
constexpr std::size_t batch = magazine::most / 2;

TEST(frame_pool, blocks_are_aligned_whole_and_apart) {
  for (int round = 0; round < 3; ++round) {  // fresh blocks first, then used ones
    std::vector<frame> all;
    for (std::size_t size = 1; size <= largest_pooled + 200; ++size) {
      const frame one = frame::allocate(size);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(one.memory) % 16, 0U) << size;
      one.fill();
      all.push_back(one);
    }
    for (const frame& each : all) ASSERT_TRUE(each.is_intact()) << each.size;
    for (const frame& each : all) each.free();
  }
}

TEST(frame_pool, large_blocks) {
  for (const std::size_t size : {largest_pooled, largest_pooled + 1, std::size_t{1} << 20}) {
    const frame one = frame::allocate(size);
    const frame other = frame::allocate(size);
    one.fill();
    other.fill();
    EXPECT_TRUE(one.is_intact());
    one.free();
    EXPECT_TRUE(other.is_intact());
    other.free();
  }
}

TEST(frame_pool, has_narrow_size_classes) {
  const std::vector<std::size_t> ends = ends_of_classes();
  std::size_t size = 1;
  for (std::size_t index = 0; index < ends.size(); ++index) {
    // A free block has room for what the pool writes into it.
    EXPECT_EQ(frame_class::block_size(index), std::max<std::size_t>(ends[index], 32));
    for (; size <= ends[index]; ++size) ASSERT_EQ(frame_class::of(size), index) << size;
  }
  EXPECT_EQ(size, frame_class::largest + 1);
}

TEST(frame_pool, a_freed_block_serves_its_size_class_again) {
  MAGPIE_NEEDS_POOL();
  std::size_t smallest = 1;
  for (const std::size_t largest : ends_of_classes()) {
    void* const block = allocate_frame(largest);
    free_frame(block, largest);
    EXPECT_EQ(allocate_frame(smallest), block);
    free_frame(block, smallest);
    void* const other_class = allocate_frame(largest + 1);
    EXPECT_NE(other_class, block);
    free_frame(other_class, largest + 1);
    smallest = largest + 1;
  }
}

// The newer half stays with the thread, in the processor's cache, when the older one goes.
TEST(frame_pool, gives_the_newest_back_first) {
  MAGPIE_NEEDS_POOL();
  std::thread([] {  // which has nothing yet
    constexpr std::size_t size = 2000;
    std::vector<void*> all;
    for (std::size_t i = 0; i < 3 * batch; ++i) all.push_back(allocate_frame(size));
    for (std::size_t i = 0; i <= held_by_a_thread; ++i) free_frame(all[i], size);
    for (std::size_t i = held_by_a_thread; i >= batch; --i) {
      EXPECT_EQ(allocate_frame(size), all[i]) << i;
    }
    std::set<void*> older(all.begin(), all.begin() + batch);
    for (std::size_t i = 0; i < batch; ++i) {
      EXPECT_EQ(older.erase(allocate_frame(size)), 1U) << "the others come from where they went";
    }
    for (void* const each : all) free_frame(each, size);
  })
      .join();
}

// A thread that allocates in bursts uses the same blocks for all of them.
TEST(frame_pool, bursts_of_any_size_need_no_more_than_the_peak) {
  MAGPIE_NEEDS_POOL();
  for (const std::size_t size : {320U, 321U, 2048U, 2049U}) {  // the ends of two classes each
    std::set<void*> distinct;
    for (const std::size_t burst :
         {1U, 30U, 31U, 32U, 61U, 62U, 63U, 93U, 94U, 500U, 63U, 32U, 500U}) {
      std::vector<void*> all;
      for (std::size_t i = 0; i < burst; ++i) {
        all.push_back(allocate_frame(size));
        std::memset(all.back(), 0xff, size);
      }
      EXPECT_EQ(std::set<void*>(all.begin(), all.end()).size(), burst);
      distinct.insert(all.begin(), all.end());
      for (void* each : all) free_frame(each, size);
    }
    EXPECT_LE(distinct.size(), 500 + batch);
  }
}

// Hands blocks from one thread to one other, at most `capacity` at a time.
class belt {
 public:
  static constexpr std::size_t capacity = 256;

  void put(void* block) {
    std::atomic<void*>& place = places_[next_put_++ % capacity];
    while (place.load(std::memory_order_relaxed) != nullptr) std::this_thread::yield();
    place.store(block, std::memory_order_release);
  }

  void* take() {
    std::atomic<void*>& place = places_[next_taken_++ % capacity];
    void* block = nullptr;
    while ((block = place.load(std::memory_order_acquire)) == nullptr) std::this_thread::yield();
    place.store(nullptr, std::memory_order_release);
    return block;
  }

 private:
  std::array<std::atomic<void*>, capacity> places_{};
  alignas(64) std::size_t next_put_ = 0;
  alignas(64) std::size_t next_taken_ = 0;
};

// Allocates here and frees on another thread; gives all addresses seen.
std::set<void*> one_way(std::size_t rounds, std::size_t size) {
  belt blocks;
  std::set<void*> distinct;
  std::thread there([&] {
    for (std::size_t i = 0; i < rounds; ++i) free_frame(blocks.take(), size);
  });
  for (std::size_t i = 0; i < rounds; ++i) {
    void* const block = allocate_frame(size);
    std::memset(block, 0xff, size);
    distinct.insert(block);
    blocks.put(block);
  }
  there.join();
  return distinct;
}

TEST(frame_pool, allocating_here_and_freeing_there_stays_bounded) {
  const std::size_t rounds = scaled(1e7) / 2;
  std::set<void*> distinct = one_way(rounds, 700);
  std::thread([&] { distinct.merge(one_way(rounds, 700)); }).join();  // and from another thread
  if (has_frame_pool) {
    EXPECT_LE(distinct.size(), belt::capacity + 4 * held_by_a_thread);
  }
}

// Each thread allocates, and frees what its neighbour has allocated, all sizes mixed.
TEST(frame_pool, a_ring_of_threads_that_free_for_each_other) {
  const std::uint64_t seed = announced_seed();
  constexpr std::size_t threads = 4;
  const std::size_t rounds = scaled(1e6);
  std::array<belt, threads> belts;
  std::atomic<std::size_t> damaged{0};
  std::vector<std::thread> running;
  running.reserve(threads);
  for (std::size_t mine = 0; mine < threads; ++mine) {
    running.emplace_back([&, mine] {
      std::mt19937_64 random{seed + mine};
      for (std::size_t i = 0; i < rounds; ++i) {
        // The size travels in the block itself.
        const std::size_t size = 16 + random() % (largest_pooled + 100);
        const frame given = frame::allocate(size);
        given.fill();
        std::memcpy(given.memory, &size, sizeof(size));
        belts[mine].put(given.memory);
        frame taken{static_cast<std::byte*>(belts[(mine + 1) % threads].take()), 0};
        std::memcpy(&taken.size, taken.memory, sizeof(taken.size));
        std::memset(taken.memory, static_cast<int>(taken.size % 251), sizeof(taken.size));
        if (!taken.is_intact()) damaged.fetch_add(1);
        taken.free();
      }
    });
  }
  for (std::thread& each : running) each.join();
  EXPECT_EQ(damaged.load(), 0U);
}

TEST(frame_pool, an_ending_thread_leaves_its_blocks_to_the_others) {
  MAGPIE_NEEDS_POOL();
  constexpr std::size_t size = 1500;
  constexpr std::size_t count = 1000;
  const auto use_many = [] {
    std::vector<void*> all;
    all.reserve(count);
    for (std::size_t i = 0; i < count; ++i) all.push_back(allocate_frame(size));
    for (void* each : all) free_frame(each, size);
    return std::set<void*>(all.begin(), all.end());
  };
  std::set<void*> distinct;
  for (int i = 0; i < 20; ++i) {
    std::thread([&] { distinct.merge(use_many()); }).join();
  }
  EXPECT_LE(distinct.size(), count + held_by_a_thread);
}

// Thread-local objects that outlive the thread's cache still may have frames, and what they free
// is not lost.
TEST(frame_pool, serves_a_thread_to_its_very_end) {
  struct late {
    void* kept = nullptr;
    ~late() {
      void* const fresh = allocate_frame(200);
      std::memset(fresh, 0xff, 200);
      free_frame(fresh, 200);
      std::memset(kept, 0xff, 200);
      free_frame(kept, 200);
    }
  };
  constexpr std::size_t threads = 1000;
  std::set<void*> distinct;
  for (std::size_t i = 0; i < threads; ++i) {
    std::thread([&] {
      thread_local late destroyed_last;  // for it is older than the thread's first frame
      late& object = destroyed_last;
      object.kept = allocate_frame(200);
      distinct.insert(object.kept);
      free_frame(allocate_frame(200), 200);
    }).join();
  }
  if (has_frame_pool) {
    EXPECT_LT(distinct.size(), threads / 2);
  }
}

}  // namespace
