#include <magpie/frame_statistics.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <magpie/detail/frame_pool.hpp>
#include <magpie/detail/this_thread.hpp>
#include <random>
#include <thread>
#include <vector>

#include "support/eventually.hpp"
#include "support/frames.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

namespace {

using magpie::frame_statistics;
using magpie::trim_frames;
using magpie::detail::frame_class;
using magpie::detail::magazine;
using magpie::test::announced_seed;
using magpie::test::ends_of_classes;
using magpie::test::eventually;
using magpie::test::frame;
using magpie::test::has_frame_pool;
using magpie::test::largest_pooled;
using magpie::test::scaled;

constexpr std::size_t held_by_a_thread = magazine::most;

// Other tests of this program may have left something, but do nothing meanwhile.

struct live_frames {
  std::size_t count = 0;
  std::size_t bytes = 0;

  static live_frames now() {
    const auto all = frame_statistics();
    EXPECT_GE(all.reserved_bytes, all.live_bytes + all.cached_bytes);
    return {all.live, all.live_bytes};
  }
  bool operator==(const live_frames&) const = default;
};

/// What one block of `size` counts for.
std::size_t counted_bytes(std::size_t size) {
  return has_frame_pool && size <= largest_pooled ? frame_class::block_size(frame_class::of(size))
                                                  : size;
}

// Bytes of one size that a thread keeps beside its magazine.
constexpr std::size_t kept_in_chains = std::size_t{512} * 1024;

TEST(frame_statistics, counts_live_frames_exactly) {
  std::mt19937_64 random(announced_seed());
  live_frames expected = live_frames::now();
  const live_frames before = expected;
  std::vector<frame> held;
  for (std::size_t i = 0; i < scaled(5e4); ++i) {
    if (random() % 16 == 0) {
      std::shuffle(held.begin(), held.end(), random);
      for (std::size_t gone = random() % (held.size() + 1); gone > 0; --gone) {
        --expected.count;
        expected.bytes -= counted_bytes(held.back().size);
        held.back().free();
        held.pop_back();
      }
    } else {
      const bool is_large = random() % 32 == 0;
      held.push_back(frame::allocate(is_large ? largest_pooled + 1 + random() % 100'000
                                              : 1 + random() % largest_pooled));
      ++expected.count;
      expected.bytes += counted_bytes(held.back().size);
    }
    ASSERT_EQ(live_frames::now(), expected) << "step " << i;
  }
  for (const frame& each : held) each.free();
  EXPECT_EQ(live_frames::now(), before);
}

TEST(frame_statistics, counts_what_other_threads_hold) {
  constexpr std::size_t size = 3000;
  constexpr std::size_t frames = 100;
  const live_frames before = live_frames::now();
  std::atomic<int> step{0};
  std::vector<frame> held;
  std::thread other([&] {
    for (std::size_t i = 0; i < frames; ++i) held.push_back(frame::allocate(size));
    step = 1;
    EXPECT_TRUE(eventually([&] { return step == 2; }));
    for (std::size_t i = 0; i < frames / 2; ++i) {
      held.back().free();
      held.pop_back();
    }
    step = 3;
    EXPECT_TRUE(eventually([&] { return step == 4; }));
  });
  const auto holds = [&](std::size_t count) {
    return live_frames{before.count + count, before.bytes + count * counted_bytes(size)};
  };
  EXPECT_TRUE(eventually([&] { return step == 1; }));
  EXPECT_EQ(live_frames::now(), holds(frames));
  step = 2;
  EXPECT_TRUE(eventually([&] { return step == 3; }));
  EXPECT_EQ(live_frames::now(), holds(frames / 2));  // what it keeps at hand is not live
  step = 4;
  other.join();
  EXPECT_EQ(live_frames::now(), holds(frames / 2));
  for (const frame& each : held) each.free();  // on another thread than they came from
  EXPECT_EQ(live_frames::now(), before);
}

TEST(frame_statistics, counts_free_blocks) {
  MAGPIE_NEEDS_POOL();
  constexpr std::size_t size = 2560;
  const auto use = [](std::size_t count) {
    std::vector<frame> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(frame::allocate(size));
    for (const frame& each : all) each.free();
  };
  use(200);
  const auto before = frame_statistics();
  EXPECT_GE(before.cached_bytes, 200 * size);
  std::thread(use, 200).join();
  const auto after = frame_statistics();
  EXPECT_EQ(after.live, before.live);
  EXPECT_LE(after.cached_bytes, before.cached_bytes + held_by_a_thread * size + kept_in_chains)
      << "it uses what this thread left, but for what this one keeps at hand";
  std::vector<frame> all;
  for (std::size_t i = 0; i < 200; ++i) all.push_back(frame::allocate(size));
  EXPECT_EQ(frame_statistics().reserved_bytes, after.reserved_bytes)
      << "an ended thread keeps nothing";
  EXPECT_EQ(frame_statistics().cached_bytes, after.cached_bytes - 200 * size);
  for (const frame& each : all) each.free();
}

TEST(frame_statistics, may_be_asked_for_while_others_work) {
  std::atomic<bool> stop{false};
  const live_frames before = live_frames::now();
  std::vector<std::thread> working;
  for (std::size_t i = 0; i < 3; ++i) {
    working.emplace_back([&stop, i] {
      while (!stop) {
        std::vector<frame> held;
        for (std::size_t n = 0; n < 200; ++n) held.push_back(frame::allocate(100 * (i + 1)));
        for (const frame& each : held) each.free();
      }
    });
  }
  for (int i = 0; i < 300; ++i) {
    const auto seen = frame_statistics();
    EXPECT_GE(seen.reserved_bytes, seen.live_bytes + seen.cached_bytes);
    std::thread([] { frame::allocate(100).free(); }).join();
  }
  stop = true;
  for (std::thread& each : working) each.join();
  EXPECT_EQ(live_frames::now(), before);
}

// Trimming.

// What memory comes in from the system.
constexpr std::size_t piece = std::size_t{64} * 1024;

/// Some sizes of all kinds, together some megabytes.
std::vector<frame> many_frames() {
  std::vector<frame> all;
  for (std::size_t i = 0; i < 20'000; ++i) {
    all.push_back(frame::allocate(1 + i * 37 % (i % 8 == 0 ? largest_pooled : 300)));
    all.back().fill();
  }
  return all;
}

TEST(trim_frames, gives_a_peak_back) {
  MAGPIE_NEEDS_POOL();
  trim_frames();
  const auto before = frame_statistics();
  for (int round = 0; round < 3; ++round) {
    const auto all = many_frames();
    EXPECT_LE(trim_frames(), ends_of_classes().size() * piece) << "nearly nothing is free";
    const auto peak = frame_statistics();
    for (const frame& each : all) ASSERT_TRUE(each.is_intact());
    for (const frame& each : all) each.free();
    EXPECT_EQ(frame_statistics().reserved_bytes, peak.reserved_bytes);
    EXPECT_EQ(trim_frames(), peak.reserved_bytes - before.reserved_bytes);
    EXPECT_EQ(frame_statistics().reserved_bytes, before.reserved_bytes);
    EXPECT_EQ(frame_statistics().live, before.live);
    EXPECT_EQ(trim_frames(), 0U);
  }
}

TEST(trim_frames, leaves_live_frames_and_their_neighbours_alone) {
  trim_frames();
  const auto before = frame_statistics();
  std::mt19937_64 random(announced_seed());
  std::vector<frame> held = many_frames();
  std::shuffle(held.begin(), held.end(), random);
  while (!held.empty()) {
    for (std::size_t half = (held.size() + 1) / 2; half > 0; --half) {
      held.back().free();
      held.pop_back();
    }
    trim_frames();
    for (const frame& each : held) ASSERT_TRUE(each.is_intact());
    EXPECT_EQ(frame_statistics().live, before.live + held.size());
    // What is still free serves again, and nothing is served twice.
    std::vector<frame> fresh = many_frames();
    for (const frame& each : held) ASSERT_TRUE(each.is_intact());
    for (const frame& each : fresh) {
      ASSERT_TRUE(each.is_intact());
      each.free();
    }
    EXPECT_EQ(frame_statistics().live, before.live + held.size());
  }
  trim_frames();
  EXPECT_EQ(frame_statistics().reserved_bytes, before.reserved_bytes);
  EXPECT_EQ(frame_statistics().live, before.live);
}

TEST(trim_frames, leaves_other_threads_what_they_keep_at_hand) {
  MAGPIE_NEEDS_POOL();
  trim_frames();
  const auto before = frame_statistics();
  std::atomic<int> step{0};
  std::thread other([&step] {
    const auto use_many = [] {
      std::vector<frame> all;
      for (std::size_t i = 0; i < 5000; ++i) {
        all.push_back(frame::allocate(1000));
        all.back().fill();
      }
      for (const frame& each : all) {
        EXPECT_TRUE(each.is_intact());
        each.free();
      }
    };
    use_many();
    step = 1;
    EXPECT_TRUE(eventually([&] { return step == 2; }));
    use_many();
  });
  EXPECT_TRUE(eventually([&] { return step == 1; }));
  EXPECT_GT(trim_frames(), 5000U * 1000U - kept_in_chains - 2 * piece);
  const auto kept = frame_statistics();
  EXPECT_EQ(kept.live, before.live);
  EXPECT_GT(kept.cached_bytes, before.cached_bytes);
  EXPECT_LE(kept.reserved_bytes, before.reserved_bytes + kept_in_chains + 3 * piece);
  step = 2;
  other.join();
  trim_frames();
  EXPECT_EQ(frame_statistics().reserved_bytes, before.reserved_bytes);
}

TEST(trim_frames, may_be_called_while_others_work) {
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> damaged{0};
  const auto before = frame_statistics();
  std::vector<std::thread> working;
  for (std::size_t i = 0; i < 3; ++i) {
    working.emplace_back([&, i] {
      std::mt19937_64 random(i);
      while (!stop) {
        std::vector<frame> held;
        for (std::size_t n = random() % 500; n > 0; --n) {
          held.push_back(frame::allocate(1 + random() % largest_pooled));
          held.back().fill();
        }
        for (const frame& each : held) {
          damaged += each.is_intact() ? 0 : 1;
          each.free();
        }
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    trim_frames();
    std::this_thread::yield();
  }
  stop = true;
  for (std::thread& each : working) each.join();
  EXPECT_EQ(damaged.load(), 0U);
  EXPECT_EQ(frame_statistics().live, before.live);
}

}  // namespace
