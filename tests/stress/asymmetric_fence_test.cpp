#include <magpie/detail/asymmetric_fence.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "support/random.hpp"
#include "support/scale.hpp"

namespace {

using magpie::detail::asymmetric_fence;
using magpie::test::announced_seed;
using magpie::test::scaled;

// Dekker's problem: each side stores its flag and loads the other's.
struct alignas(64) flag {
  std::atomic<std::uint8_t> raised{0};
};

struct round_of_two {
  flag frequent;
  flag rare;
  bool frequent_saw = false;
  bool rare_saw = false;
};

void spin(std::uint64_t turns) {
  for (; turns > 0; --turns) std::atomic_signal_fence(std::memory_order_seq_cst);
}

void wait_for(const std::atomic<std::size_t>& counter, std::size_t wanted) {
  for (unsigned look = 0; counter.load(std::memory_order_acquire) < wanted; ++look) {
    // No yield(): beside other programs it costs a time slice, by the end of which the other side
    // has given its own processor away, so that the two never meet.
    if (look > 20'000) std::this_thread::sleep_for(std::chrono::microseconds(1));
  }
}

// Each side first looks at the other's flag. So on the frequent side the load finds its cache line
// at hand and goes ahead, while the store has to wait for its own, unless heavy() comes between.
TEST(asymmetric_fence, two_sides_never_miss_each_other) {
  asymmetric_fence::initialise();
  const std::uint64_t seed = announced_seed();
  const std::size_t rounds = scaled(5e6);
  constexpr std::size_t batch = 4096;
  std::size_t missed = 0;
  for (std::size_t done = 0; done < rounds; done += batch) {
    std::vector<round_of_two> all(batch);
    std::atomic<std::size_t> started{0};  // rounds that the rare side has begun
    std::atomic<std::size_t> ready{0};    // rounds that the frequent side waits for
    std::thread frequent([&] {
      std::mt19937_64 random{seed + done};
      for (std::size_t i = 0; i < batch; ++i) {
        if (all[i].rare.raised.load(std::memory_order_relaxed) != 0) ADD_FAILURE() << "too early";
        ready.store(i + 1, std::memory_order_release);
        wait_for(started, i + 1);
        spin(random() % 16);
        all[i].frequent.raised.store(1, std::memory_order_relaxed);
        asymmetric_fence::light();
        all[i].frequent_saw = all[i].rare.raised.load(std::memory_order_relaxed) != 0;
      }
    });
    std::mt19937_64 random{seed - done};
    for (std::size_t i = 0; i < batch; ++i) {
      if (all[i].frequent.raised.load(std::memory_order_relaxed) != 0) ADD_FAILURE() << "too early";
      wait_for(ready, i + 1);
      started.store(i + 1, std::memory_order_release);
      spin(random() % 16);
      all[i].rare.raised.store(1, std::memory_order_relaxed);
      asymmetric_fence::heavy();
      all[i].rare_saw = all[i].frequent.raised.load(std::memory_order_relaxed) != 0;
    }
    frequent.join();
    for (const round_of_two& each : all) missed += !each.frequent_saw && !each.rare_saw ? 1 : 0;
  }
  EXPECT_EQ(missed, 0U);
}

}  // namespace
