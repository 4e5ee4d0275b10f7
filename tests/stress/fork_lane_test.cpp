#include <magpie/detail/fork_lane.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/asymmetric_fence.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/fork_lane.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

namespace {

using magpie::detail::basic_fork_lane;
using magpie::test::announced_seed;
using magpie::test::pop_if;
using magpie::test::push;
using magpie::test::scaled;

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
        ASSERT_TRUE(push(lane_, all_[next]));
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
    } else if (pop_if(lane_, *newest)) {
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
