#include "scheduler/outside_call.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <magpie/detail/slot_pool.hpp>
#include <thread>

#include "support/eventually.hpp"

namespace {

using magpie::detail::allocate_slot;
using magpie::detail::free_slot;
using magpie::detail::outside_call;
using magpie::test::eventually;

constexpr int here = 0;
constexpr int elsewhere = 0;

/// Gives the calling thread a record, as its first task does. Not by a frame: under
/// AddressSanitizer these are not pooled.
void use_slots() { free_slot(allocate_slot()); }

/// A call that has told `is_inside` and looks for a while as if it would never end.
void dawdle(const void* place, std::atomic<bool>& is_inside, std::atomic<bool>& is_over) {
  const outside_call call(place);
  is_inside.store(true);
  for (int i = 0; i < 100; ++i) std::this_thread::yield();
  is_over.store(true);
}

TEST(outside_call, is_waited_for) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> is_inside{false};
    std::atomic<bool> is_over{false};
    std::thread caller([&] {
      use_slots();
      dawdle(&here, is_inside, is_over);
    });
    EXPECT_TRUE(eventually([&] { return is_inside.load(); }));
    outside_call::wait_for_all(&here);
    EXPECT_TRUE(is_over.load());
    caller.join();
  }
}

TEST(outside_call, of_a_thread_without_a_record_is_waited_for) {
  std::atomic<bool> is_inside{false};
  std::atomic<bool> is_over{false};
  std::thread caller([&] { dawdle(&here, is_inside, is_over); });
  EXPECT_TRUE(eventually([&] { return is_inside.load(); }));
  outside_call::wait_for_all(&here);
  EXPECT_TRUE(is_over.load());
  caller.join();
}

TEST(outside_call, into_another_scheduler_is_not_waited_for) {
  std::atomic<bool> is_inside{false};
  std::atomic<bool> may_end{false};
  std::thread caller([&] {
    use_slots();
    const outside_call call(&elsewhere);
    is_inside.store(true);
    while (!may_end.load()) std::this_thread::yield();
  });
  EXPECT_TRUE(eventually([&] { return is_inside.load(); }));
  outside_call::wait_for_all(&here);
  may_end.store(true);
  caller.join();
}

}  // namespace
