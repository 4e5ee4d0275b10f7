#include <magpie/detail/futex.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "support/eventually.hpp"
#include "support/scale.hpp"

namespace {

using magpie::detail::futex_wait;
using magpie::detail::futex_wake_one;
using magpie::detail::parker;
using magpie::test::eventually;
using magpie::test::scaled;

TEST(futex, does_not_sleep_when_the_word_has_changed) {
  const std::atomic<std::uint32_t> word{1};
  futex_wait(word, 0);
  futex_wait(word, 2, std::chrono::steady_clock::time_point::max());
}

TEST(futex, sleeps_no_longer_than_to_the_deadline) {
  const std::atomic<std::uint32_t> word{0};
  const auto start = std::chrono::steady_clock::now();
  futex_wait(word, 0,
             start - std::chrono::hours(1) > std::chrono::steady_clock::time_point{}
                 ? start - std::chrono::hours(1)
                 : std::chrono::steady_clock::time_point{});
  const auto deadline = start + std::chrono::milliseconds(5);
  while (std::chrono::steady_clock::now() < deadline) futex_wait(word, 0, deadline);
  SUCCEED() << "it came back";
}

TEST(futex, wakes_a_sleeper) {
  std::atomic<std::uint32_t> word{0};
  std::atomic<bool> awake{false};
  std::thread sleeper([&] {
    while (word.load() == 0) futex_wait(word, 0);
    awake.store(true);
  });
  word.store(1);
  EXPECT_TRUE(eventually([&] {
    futex_wake_one(word);
    return awake.load();
  }));
  sleeper.join();
}

TEST(parker, a_permit_is_remembered) {
  parker place;
  place.unpark();
  place.park();
  place.unpark();
  place.park();
}

TEST(parker, a_permit_is_remembered_only_once) {
  parker place;
  place.unpark();
  place.unpark();
  place.unpark();
  std::atomic<int> returns{0};
  std::thread sleeper([&] {
    place.park();
    returns.store(1);
    place.park();
    returns.store(2);
  });
  EXPECT_TRUE(eventually([&] { return returns.load() >= 1; }));
  // Time for the second park to return wrongly; a right one never does.
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_EQ(returns.load(), 1);
  place.unpark();
  EXPECT_TRUE(eventually([&] { return returns.load() == 2; }));
  sleeper.join();
}

TEST(parker, what_was_written_before_unpark_is_seen_after_park) {
  const std::size_t rounds = scaled(1e6);
  parker there;
  parker back;
  std::size_t value = 0;  // plain: the parkers alone order its uses
  std::thread other([&] {
    for (std::size_t i = 0; i < rounds; ++i) {
      there.park();
      ++value;
      back.unpark();
    }
  });
  for (std::size_t i = 0; i < rounds; ++i) {
    if (value != i) ADD_FAILURE() << value << " instead of " << i;
    there.unpark();
    back.park();
  }
  other.join();
  EXPECT_EQ(value, rounds);
}

}  // namespace
