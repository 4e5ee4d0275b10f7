#include <gtest/gtest.h>

#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/detail/scheduler.hpp>
#include <map>
#include <string>

#include "support/action.hpp"
#include "support/alarm.hpp"
#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/threads.hpp"

// One job for a crowd that sleeps: how many does it wake?

namespace {

using magpie::detail::scheduler;
using magpie::test::action;
using magpie::test::alarm;
using magpie::test::eventually;
using magpie::test::scaled;
using magpie::test::thread_status;

class herd : public testing::Test {
 protected:
  static constexpr std::size_t workers = 64;

  /// The workers and the timekeeper.
  static std::map<std::string, thread_status> once_asleep() {
    return magpie::test::once_asleep("magpie-", workers + 1);
  }

  /// How many threads have woken since `before`, now that all sleep again.
  static std::size_t woken_since(const std::map<std::string, thread_status>& before) {
    const std::map<std::string, thread_status> after = once_asleep();
    EXPECT_FALSE(after.empty()) << "they never sleep again";
    std::size_t count = 0;
    for (const auto& [thread, status] : after) count += before.at(thread) != status ? 1 : 0;
    return count;
  }

  scheduler home_{{.workers = workers}};
};

TEST_F(herd, one_submission_wakes_at_most_two_of_64) {
  for (std::size_t i = 0; i < scaled(1e3); ++i) {
    const auto before = once_asleep();
    ASSERT_FALSE(before.empty());
    action one;
    home_.submit(one);
    ASSERT_TRUE(eventually([&] { return one.has_run(); }));
    ASSERT_LE(woken_since(before), 2U);
  }
}

TEST_F(herd, one_timer_wakes_at_most_two_of_64) {
  for (std::size_t i = 0; i < scaled(1e3); ++i) {
    const auto before = once_asleep();
    ASSERT_FALSE(before.empty());
    alarm one;
    home_.arm(one.item, magpie::clock::now() + std::chrono::milliseconds(1));
    ASSERT_TRUE(one.comes());
    ASSERT_LE(woken_since(before), 2U + 1U) << "with the timekeeper";
  }
}

}  // namespace
