#include <magpie/detail/completion_watch.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task_handle.hpp>
#include <optional>
#include <thread>

#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::task_handle;
using magpie::detail::completion_wait;
using magpie::detail::completion_watch;
using magpie::detail::deciding_end;
using magpie::detail::handle_access;
using magpie::detail::requests_to_wait;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::give_after_yields;
using magpie::test::stop;

class completion_watching : public magpie::test::on_each_runtime {};
MAGPIE_FOR_EACH_RUNTIME(completion_watching);

/// Waits for as many in all.
class arrivals {
 public:
  arrivals(completion_watch& watched, std::size_t enough,
           magpie::time_point deadline = magpie::time_point::max()) noexcept
      : wait_(watched, requests_to_wait::end_it, "arrivals"),
        enough_(enough),
        deadline_(deadline) {}

  [[nodiscard]] bool await_ready() { return wait_.begin(enough_); }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> suspended) {
    return wait_.suspend_until(suspended, deadline_);
  }
  void await_resume() { wait_.resume_after_wait(); }

 private:
  completion_wait wait_;
  const std::size_t enough_;
  const magpie::time_point deadline_;
};

TEST_P(completion_watching, numbers_tasks_and_tells_them_as_they_come) {
  const auto body = []() -> magpie::task<> {
    const auto ended = magpie::spawn(give(1));
    co_await ended;
    const auto running = magpie::spawn(give_after_yields(2, 5));
    completion_watch watch(3, deciding_end::none);
    EXPECT_TRUE(watch.watch(handle_access::state(running)));
    EXPECT_TRUE(watch.watch(handle_access::state(ended)));
    EXPECT_FALSE(watch.watch(handle_access::state(running)));
    EXPECT_EQ(watch.size(), 2U);
    co_await arrivals(watch, 2);
    EXPECT_EQ(watch.arrived(), 2U);
    const auto first = watch.next();
    const auto second = watch.next();
    EXPECT_NE(first, second);
    EXPECT_EQ(*first + *second, 1U);
    EXPECT_FALSE(watch.next().has_value());
    EXPECT_EQ(watch.decisive(), nullptr);
  };
  runtime.block_on(body());
}

TEST_P(completion_watching, ends_with_the_first_that_decides) {
  const auto body = []() -> magpie::task<> {
    const auto sleeping = magpie::spawn(magpie::test::give_after_yields(1, 50));
    const auto stopped = magpie::spawn(stop("not for all"));
    const auto failed = magpie::spawn(fail("boom"));
    for (const auto decides : {deciding_end::failure, deciding_end::failure_or_cancel}) {
      completion_watch watch(3, decides);
      watch.watch(handle_access::state(sleeping));
      watch.watch(handle_access::state(stopped));
      if (decides == deciding_end::failure) watch.watch(handle_access::state(failed));
      co_await arrivals(watch, watch.size());
      const auto* const decisive = watch.decisive();
      EXPECT_EQ(decisive,
                &handle_access::state(decides == deciding_end::failure ? failed : stopped));
    }
    EXPECT_NE(failed.exception(), nullptr);
  };
  runtime.block_on(body());
}

TEST_P(completion_watching, is_asked_again_after_a_limit) {
  std::atomic<int> rounds{0};
  const auto end_late = [&]() -> magpie::task<> {
    while (rounds < 10) co_await magpie::sleep_for(1ms);
  };
  const auto body = [&]() -> magpie::task<> {
    const auto late = magpie::spawn(end_late());
    completion_watch watch(1, deciding_end::none);
    watch.watch(handle_access::state(late));
    while (!watch.next().has_value()) {
      co_await arrivals(watch, 1, magpie::now() + 1ms);
      ++rounds;
    }
    EXPECT_GE(rounds, 10);
  };
  runtime.block_on(body());
}

/// Stands among a task's waiters and keeps the one who ends the task.
struct obstacle : magpie::detail::waiter {
  obstacle() : waiter(&keep) {}

  static void keep(magpie::detail::job& self, magpie::detail::worker&) noexcept {
    auto& mine = static_cast<obstacle&>(self);
    mine.is_reached = true;
    while (!mine.is_open) std::this_thread::yield();
    mine.is_left = true;
  }

  std::atomic<bool> is_reached{false};
  std::atomic<bool> is_open{false};
  std::atomic<bool> is_left{false};
};

TEST(completion_watch_on_two_workers, does_not_wait_for_a_node_on_its_way_when_left) {
  magpie::runtime runtime({.workers = 2});
  for (int round = 0; round < 100; ++round) {
    std::atomic<bool> may_end{false};
    auto task = runtime.spawn(magpie::test::give_when(may_end, 1));
    obstacle before;
    ASSERT_TRUE(handle_access::state(task).add_waiter(before));
    std::optional<completion_watch> watch(std::in_place, std::size_t{1}, deciding_end::failure);
    watch->watch(handle_access::state(task));
    may_end = true;
    ASSERT_TRUE(eventually([&] { return before.is_reached.load(); }));
    EXPECT_TRUE(task.done());
    watch.reset();
    task = task_handle<int>();  // the last: the state goes
    before.is_open = true;
    ASSERT_TRUE(eventually([&] { return before.is_left.load(); }));
  }
}

}  // namespace
