#include <magpie/detail/wait_list.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <magpie/detail/lock_guard.hpp>
#include <random>
#include <vector>

#include "support/random.hpp"

namespace {

using magpie::detail::lock_guard;
using magpie::detail::wait_list;
using magpie::detail::waiter;
using magpie::test::announced_seed;

struct numbered : waiter {
  numbered() noexcept : waiter(nullptr) {}
};

/// A list, and what should be in it.
class wait_lists : public testing::Test {
 protected:
  void push(std::size_t number) {
    const lock_guard guard(list);
    list.push(waiters.at(number));
    expected.push_back(number);
  }
  void remove(std::size_t number) {
    const lock_guard guard(list);
    const auto place = std::find(expected.begin(), expected.end(), number);
    ASSERT_EQ(list.remove(waiters.at(number)), place != expected.end());
    if (place != expected.end()) expected.erase(place);
  }
  [[nodiscard]] std::size_t number_of(const waiter* which) const {
    return static_cast<std::size_t>(static_cast<const numbered*>(which) - waiters.data());
  }
  void check() {
    const lock_guard guard(list);
    if (expected.empty()) {
      ASSERT_EQ(list.first(), nullptr);
    } else {
      ASSERT_EQ(number_of(list.first()), expected.front());
    }
  }

  wait_list list;
  std::array<numbered, 6> waiters;
  std::vector<std::size_t> expected;
};

TEST_F(wait_lists, keep_their_order_whoever_leaves) {
  std::mt19937_64 random(announced_seed());
  for (int i = 0; i < 200'000; ++i) {
    const std::size_t number = random() % waiters.size();
    const bool is_there = std::find(expected.begin(), expected.end(), number) != expected.end();
    if (is_there || random() % 4 == 0) {
      remove(number);
    } else {
      push(number);
    }
    ASSERT_NO_FATAL_FAILURE(check());
  }
  // Whatever is left comes in order.
  while (!expected.empty()) {
    ASSERT_NO_FATAL_FAILURE(remove(expected.front()));
    ASSERT_NO_FATAL_FAILURE(check());
  }
}

TEST_F(wait_lists, give_all_when_they_are_closed_and_find_none_later) {
  for (const std::size_t number : {3U, 1U, 2U, 5U}) push(number);
  remove(1);
  const lock_guard guard(list);
  EXPECT_FALSE(list.is_closed());
  std::vector<std::size_t> given;
  for (const magpie::detail::job* each = list.close(); each != nullptr; each = each->next) {
    given.push_back(number_of(static_cast<const waiter*>(each)));
  }
  EXPECT_EQ(given, expected);
  EXPECT_TRUE(list.is_closed());
  EXPECT_EQ(list.first(), nullptr);
  EXPECT_FALSE(list.remove(waiters.at(3)));
  EXPECT_EQ(list.close(), nullptr);
}

}  // namespace
