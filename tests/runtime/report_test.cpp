#include <magpie/report.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <magpie/errors.hpp>
#include <magpie/gather.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task_group.hpp>
#include <magpie/timeout.hpp>
#include <magpie/wait.hpp>
#include <random>
#include <set>
#include <source_location>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancelling.hpp"
#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/tasks.hpp"

// What a report says: the tasks, where they were spawned, what they wait for, and the rings.

namespace {

using namespace std::chrono_literals;
using magpie::live_task;
using magpie::runtime_report;
using magpie::test::await_handle;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::sleep_long;

class report : public magpie::test::cancelling {
 protected:
  /// A report from a moment at which all tasks are suspended or have ended.
  [[nodiscard]] runtime_report report_when_nothing_runs() {
    EXPECT_TRUE(nothing_runs());
    return runtime.report();
  }

  using tasks = std::vector<magpie::task_handle<>>;

  /// Spawns tasks of which number i awaits number awaited[i].
  void spawn_that_await(const std::vector<std::size_t>& awaited) {
    for (std::size_t i = 0; i < awaited.size(); ++i) {
      all.push_back(runtime.spawn(await_one(awaited[i]), {.name = std::to_string(i)}));
    }
    are_all_there = true;
  }

  tasks all;
  std::atomic<bool> are_all_there{false};

 private:
  magpie::task<> await_one(std::size_t which) {
    while (!are_all_there) co_await magpie::yield();
    const auto other = all[which];
    co_await other;
  }
};
MAGPIE_FOR_EACH_RUNTIME(report);

TEST_P(report, of_an_idle_runtime_is_empty) {
  EXPECT_EQ(runtime.block_on(magpie::test::give(1)), 1);
  ASSERT_TRUE(eventually([&] { return runtime.report().tasks.empty(); }));
  const runtime_report idle = runtime.report();
  EXPECT_TRUE(idle.is_empty());
  EXPECT_EQ(idle.text(), "");
  EXPECT_TRUE(idle.cycles.empty());
}

TEST_P(report, lists_tasks_in_the_order_of_their_spawns_with_name_and_place) {
  const auto first = runtime.spawn(sleep_long(), {.name = "first"});
  const unsigned line = std::source_location::current().line() - 1;
  const auto second = runtime.spawn(sleep_long());
  second.set_name("second");
  const auto third = runtime.spawn(magpie::sleep_for(1000h), {.name = "third"});
  const runtime_report made = report_when_nothing_runs();
  ASSERT_EQ(made.tasks.size(), 3U) << made.text();
  for (std::size_t i = 0; i < 3; ++i) {
    const live_task& each = made.tasks[i];
    EXPECT_EQ(each.name, std::vector({"first", "second", "third"})[i]);
    EXPECT_EQ(each.waiting_for.rfind("sleep, 3", 0), 0U) << each.waiting_for;
    EXPECT_NE(std::string_view(each.spawned_at.file_name()).find("report_test.cpp"),
              std::string_view::npos);
  }
  EXPECT_EQ(made.tasks[0].spawned_at.line(), line);
  EXPECT_EQ(made.tasks[1].spawned_at.line(), line + 2);
  EXPECT_EQ(made.tasks[2].spawned_at.line(), line + 4);
  const std::string expected = "task \"first\" (report_test.cpp:" + std::to_string(line) + "): sl";
  EXPECT_EQ(made.text().substr(0, expected.size()), expected);
}

TEST_P(report, knows_the_place_of_each_kind_of_spawn) {
  std::multiset<unsigned> lines;
  const auto note_line = [&](std::source_location place = std::source_location::current()) {
    lines.insert(place.line() - 1);
  };
  const auto body = [&](magpie::task_group& group) -> magpie::task<> {
    static_cast<void>(group.spawn(sleep_long(), {.name = "in a group"}));
    note_line();
    static_cast<void>(magpie::spawn(sleep_long()));
    note_line();
    std::vector<magpie::task<>> two;
    two.push_back(sleep_long());
    two.push_back(sleep_long());
    static_cast<void>(magpie::spawn_many(std::move(two)));
    note_line();
    lines.insert(std::source_location::current().line() - 2);
    lines.insert(std::source_location::current().line() + 1);
    co_await magpie::shield(sleep_long());
  };
  const auto spawner = runtime.spawn(magpie::with_task_group(body), {.name = "spawner"});
  const unsigned line = std::source_location::current().line() - 1;
  const runtime_report made = report_when_nothing_runs();
  lines.insert(line);
  std::multiset<unsigned> reported;
  for (const live_task& each : made.tasks) reported.insert(each.spawned_at.line());
  EXPECT_EQ(reported, lines) << made.text();
  runtime.request_shutdown();
  EXPECT_TRUE(ends(spawner));
}

TEST_P(report, finds_two_tasks_that_await_each_other) {
  spawn_that_await({1, 0});
  const auto outsider = runtime.spawn(await_handle(all[1]), {.name = "outsider"});
  const runtime_report made = report_when_nothing_runs();
  ASSERT_EQ(made.cycles.size(), 1U) << made.text();
  EXPECT_EQ(made.cycles[0].size(), 2U);
  EXPECT_NE(made.text().find("\ncycle: \"0\" awaits \"1\" awaits \"0\"\n"), std::string::npos)
      << made.text();
  EXPECT_NE(made.text().find("): task \"1\"\n"), std::string::npos) << made.text();
}

TEST_P(report, finds_the_rings_among_many_tasks) {
  std::mt19937_64 random(seed());
  constexpr std::size_t count = 60;
  std::vector<std::size_t> awaited(count);
  // No task awaits itself: that throws.
  for (std::size_t i = 0; i < count; ++i) awaited[i] = (i + 1 + random() % (count - 1)) % count;
  spawn_that_await(awaited);
  const runtime_report made = report_when_nothing_runs();
  ASSERT_EQ(made.tasks.size(), count);
  // Each task awaits one other. So it is in a ring if and only if it can be reached from itself.
  std::set<std::size_t> in_a_ring;
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t other = awaited[i];
    for (std::size_t step = 0; step < count && other != i; ++step) other = awaited[other];
    if (other == i) in_a_ring.insert(i);
  }
  std::set<std::size_t> reported;
  for (const std::vector<std::size_t>& cycle : made.cycles) {
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      EXPECT_EQ(awaited[cycle[i]], cycle[(i + 1) % cycle.size()]);
      EXPECT_TRUE(reported.insert(cycle[i]).second) << "each in one ring only";
    }
  }
  EXPECT_EQ(reported, in_a_ring);
}

TEST_P(report, finds_rings_through_gather_wait_and_shield) {
  const auto gathering = [&]() -> magpie::task<> {
    while (!are_all_there) co_await magpie::yield();
    const auto other = all[1];
    co_await magpie::gather(magpie::shield(other), magpie::sleep_for(1000h));
  };
  const auto waiting = [&]() -> magpie::task<> {
    while (!are_all_there) co_await magpie::yield();
    const std::vector others{all[2], all[3]};
    co_await magpie::wait(others, magpie::until::all_completed);
  };
  const auto gathering_handles = [&]() -> magpie::task<> {
    while (!are_all_there) co_await magpie::yield();
    const std::vector others{all[3], all[0]};
    co_await magpie::gather(others);
  };
  all.push_back(runtime.spawn(gathering(), {.name = "gathering"}));
  all.push_back(runtime.spawn(waiting(), {.name = "waiting"}));
  all.push_back(runtime.spawn(gathering_handles(), {.name = "gathering handles"}));
  all.push_back(runtime.spawn(sleep_long(), {.name = "sleeper"}));
  are_all_there = true;
  const runtime_report made = report_when_nothing_runs();
  EXPECT_NE(made.text().find("cycle: \"gathering\" awaits \"waiting\" awaits \"gathering handles\" "
                             "awaits \"gathering\"\n"),
            std::string::npos)
      << made.text();
  EXPECT_NE(made.text().find("2 of these: watched task \"gathering handles\"; watched task "
                             "\"sleeper\""),
            std::string::npos)
      << made.text();
  EXPECT_NE(made.text().find("gathered task \"sleeper\""), std::string::npos) << made.text();
}

TEST_P(report, takes_no_task_of_another_runtime_for_its_own) {
  magpie::runtime other{settings()};
  const auto foreign = other.spawn(sleep_long(), {.name = "foreign"});
  const auto waiter = runtime.spawn(await_handle(foreign), {.name = "waiter"});
  if (is_virtual()) runtime.run_until_idle();
  ASSERT_TRUE(eventually([&] { return waiter.waiting_for() == "task \"foreign\""; }));
  const runtime_report made = runtime.report();
  ASSERT_EQ(made.tasks.size(), 1U) << made.text();
  EXPECT_EQ(made.tasks[0].waiting_for, "task \"foreign\"");
  EXPECT_TRUE(made.cycles.empty());
  foreign.cancel();
  if (is_virtual()) other.run_until_idle();
  EXPECT_TRUE(ends(waiter));
}

TEST_P(report, counts_blocking_calls) {
  std::atomic<bool> open{false};
  const auto call = [&]() -> magpie::task<> {
    co_await magpie::run_blocking([&] { EXPECT_TRUE(eventually([&] { return open.load(); })); });
  };
  const auto caller = runtime.spawn(call(), {.name = "caller"});
  ASSERT_TRUE(eventually([&] { return caller.waiting_for() == "blocking call"; }));
  const runtime_report made = runtime.report();
  EXPECT_EQ(made.blocking_calls, 1U);
  EXPECT_NE(made.text().find("blocking calls that have not returned: 1\n"), std::string::npos);
  open = true;
  EXPECT_TRUE(ends(caller));
}

TEST_P(report, says_how_many_wait_ahead_and_when_a_timeout_ends_the_wait) {
  magpie::semaphore connections(0, {.name = "connections"});
  const auto acquire = [&]() -> magpie::task<> {
    static_cast<void>(co_await connections.acquire());
  };
  for (std::size_t i = 0; i < 3; ++i) {
    all.push_back(runtime.spawn(acquire()));
    ASSERT_TRUE(eventually([&] { return connections.waiting() == i + 1; }));
  }
  const auto limited = runtime.spawn(magpie::wait_for(connections.acquire(), 1000h));
  ASSERT_TRUE(eventually([&] { return connections.waiting() == 4; }));
  EXPECT_EQ(all[0].waiting_for(), "semaphore \"connections\" (0 ahead)");
  EXPECT_EQ(all[2].waiting_for(), "semaphore \"connections\" (2 ahead)");
  const std::string expected = "semaphore \"connections\" (3 ahead); timeout in 3";
  EXPECT_EQ(limited.waiting_for().substr(0, expected.size()), expected);
  for (std::size_t i = 4; i < 120; ++i) {
    all.push_back(runtime.spawn(acquire()));
    ASSERT_TRUE(eventually([&] { return connections.waiting() == i + 1; }));
  }
  EXPECT_EQ(all.back().waiting_for(), "semaphore \"connections\" (100 or more ahead)");
  connections.release(200);
  for (const auto& each : all) EXPECT_TRUE(ends(each));
}

// While tasks come and go, and wait for each other by turns.
TEST_P(report, can_be_made_while_tasks_run) {
  if (is_virtual()) GTEST_SKIP() << "no other thread runs the tasks";
  std::atomic<bool> stop{false};
  const auto work = [](int steps) -> magpie::task<> {
    for (int i = 0; i < steps; ++i) co_await magpie::yield();
  };
  const auto spawn_and_await = [&]() -> magpie::task<> {
    while (!stop) {
      const std::vector children{magpie::spawn(work(1)),
                                 magpie::spawn(work(20), {.name = "named"})};
      const auto last = children.back();
      co_await last;
      co_await magpie::gather(children);
    }
  };
  for (int i = 0; i < 4; ++i) all.push_back(runtime.spawn(spawn_and_await()));
  std::size_t seen = 0;
  for (int i = 0; i < 300; ++i) {
    const runtime_report made = runtime.report();
    EXPECT_TRUE(made.cycles.empty()) << made.text();
    seen += made.tasks.size();
  }
  EXPECT_GE(seen, 300U * 4);
  stop = true;
  for (const auto& each : all) EXPECT_TRUE(ends(each));
}

}  // namespace
