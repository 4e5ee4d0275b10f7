#include <magpie/task_local.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <magpie/errors.hpp>
#include <magpie/parallel_invoke.hpp>
#include <magpie/runtime.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/counted.hpp"
#include "support/each_runtime.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::scoped_local;
using magpie::task_local;
using magpie::test::counted;

class task_locals : public magpie::test::on_each_runtime {
 protected:
  task_local<int> number{7};
  task_local<std::string> word;
};
MAGPIE_FOR_EACH_RUNTIME(task_locals);

class task_locals_by_threads : public task_locals {};
MAGPIE_FOR_EACH_WORKER_COUNT(task_locals_by_threads);

magpie::task<int> ask(const task_local<int>& variable) { co_return variable.get(); }

magpie::task<> set(const task_local<int>& variable, int value) {
  variable.set(value);
  co_return;
}

TEST_P(task_locals, have_their_default_until_they_are_set) {
  const auto run = [&]() -> magpie::task<> {
    EXPECT_EQ(number.get(), 7);
    EXPECT_EQ(word.get(), "");
    number.set(8);
    EXPECT_EQ(number.get(), 8);
    EXPECT_EQ(word.get(), "");
    word.set("one");
    co_await magpie::yield();
    word.set("two");
    EXPECT_EQ(number.get(), 8);
    EXPECT_EQ(word.get(), "two");
  };
  runtime.block_on(run());
  EXPECT_EQ(runtime.block_on(ask(number)), 7);
}

// Rule 12: the creator's values, as they are at the spawn.
TEST_P(task_locals, are_copied_by_a_spawn) {
  const auto run = [&]() -> magpie::task<> {
    number.set(8);
    auto child = magpie::spawn(ask(number));
    number.set(9);
    const int at_the_spawn = co_await std::move(child);
    EXPECT_EQ(at_the_spawn, 8);
    std::vector<magpie::task<int>> bodies;
    for (int i = 0; i < 3; ++i) bodies.push_back(ask(number));
    const auto many = magpie::spawn_many(std::move(bodies));
    number.set(10);
    for (const auto& each : many) {
      const int seen = co_await each;
      EXPECT_EQ(seen, 9);
    }
  };
  runtime.block_on(run());
}

// Rule 12: neither sees what the other sets later. Rule 1: a task has its values before it begins.
TEST_P(task_locals, are_seen_neither_way_after_a_spawn) {
  std::atomic<int> step{0};
  const auto wait_for_step = [&](int wanted) -> magpie::task<> {
    while (step.load() != wanted) co_await magpie::yield();
  };
  const auto child = [&]() -> magpie::task<> {
    EXPECT_EQ(number.get(), 8);
    number.set(20);
    step = 1;
    co_await wait_for_step(2);
    EXPECT_EQ(number.get(), 20);
    EXPECT_EQ(word.get(), "");
  };
  const auto run = [&]() -> magpie::task<> {
    number.set(8);
    const auto spawned = magpie::spawn(child());
    co_await wait_for_step(1);
    EXPECT_EQ(number.get(), 8);
    number.set(9);
    word.set("parent's");
    step = 2;
    co_await spawned;
    EXPECT_EQ(number.get(), 9);
  };
  runtime.block_on(run());
}

TEST_P(task_locals, are_shared_by_all_that_runs_in_a_task) {
  const auto body = [&](magpie::timeout_scope&) -> magpie::task<> { co_await set(number, 9); };
  const auto run = [&]() -> magpie::task<> {
    co_await set(number, 8);
    EXPECT_EQ(number.get(), 8);
    co_await magpie::with_timeout(1h, body);
    EXPECT_EQ(number.get(), 9);
    magpie::parallel_invoke([&] { EXPECT_EQ(number.get(), 9); }, [&] { word.set("closure's"); });
    EXPECT_EQ(word.get(), "closure's");
  };
  runtime.block_on(run());
}

TEST_P(task_locals, may_be_set_on_several_workers_at_once) {
  std::vector<std::unique_ptr<task_local<int>>> variables;
  for (int i = 0; i < 4; ++i) variables.push_back(std::make_unique<task_local<int>>(0));
  const auto use = [&](std::size_t index) {
    for (int i = 1; i <= 200; ++i) {
      const scoped_local shown(*variables[index], i);
      EXPECT_EQ(variables[index]->get(), i);
      static_cast<void>(magpie::spawn(ask(*variables[index])));
    }
  };
  const auto run = [&]() -> magpie::task<> {
    magpie::parallel_invoke([&] { use(0); }, [&] { use(1); }, [&] { use(2); }, [&] { use(3); });
    for (const auto& each : variables) EXPECT_EQ(each->get(), 0);
    co_return;
  };
  // One that ends before the variables do.
  magpie::runtime({.workers = GetParam()}).block_on(run());
}

TEST_P(task_locals_by_threads, of_foreign_threads_and_what_they_spawn_are_the_defaults) {
  const auto run = [&]() -> magpie::task<> {
    number.set(8);
    std::thread([&] {
      EXPECT_EQ(number.get(), 7);
      EXPECT_EQ(runtime.spawn(ask(number)).get(), 7);
    }).join();
    co_return;
  };
  // On a runtime of its own: the test's is to be free for what the thread spawns.
  magpie::runtime({.workers = 1}).block_on(run());
  EXPECT_EQ(number.get(), 7);
  EXPECT_THROW(number.set(1), magpie::invalid_state);
  EXPECT_THROW(static_cast<void>(scoped_local(number, 1)), magpie::invalid_state);
}

TEST_P(task_locals_by_threads, go_with_a_spawn_on_another_runtime) {
  magpie::runtime other({.workers = 1});
  const auto run = [&]() -> magpie::task<int> {
    number.set(8);
    co_return co_await other.spawn(ask(number));
  };
  EXPECT_EQ(runtime.block_on(run()), 8);
}

TEST_P(task_locals, have_the_value_before_again_after_a_scope) {
  const auto run = [&]() -> magpie::task<> {
    {
      const scoped_local outer(number, 1);
      EXPECT_EQ(number.get(), 1);
      {
        const scoped_local inner(number, 2);
        const scoped_local other(word, "inner");
        co_await magpie::yield();
        EXPECT_EQ(number.get(), 2);
      }
      EXPECT_EQ(number.get(), 1);
      EXPECT_EQ(word.get(), "");
      number.set(3);
    }
    EXPECT_EQ(number.get(), 7);
  };
  runtime.block_on(run());
}

TEST_P(task_locals, keep_after_a_scope_what_was_set_of_others_in_it) {
  const auto run = [&]() -> magpie::task<> {
    number.set(1);
    {
      const scoped_local scoped(number, 2);
      word.set("stays");
    }
    EXPECT_EQ(number.get(), 1);
    EXPECT_EQ(word.get(), "stays");
    {
      const scoped_local scoped(number, 3);
      auto child = magpie::spawn(ask(number));
      word.set("stays too");
      number.set(4);
      const int at_the_spawn = co_await std::move(child);
      EXPECT_EQ(at_the_spawn, 3);
    }
    EXPECT_EQ(number.get(), 1);
    EXPECT_EQ(word.get(), "stays too");
  };
  runtime.block_on(run());
}

TEST_P(task_locals_by_threads, are_destroyed_when_their_last_task_ends) {
  const task_local<std::shared_ptr<counted>> variable;
  const auto child = [&]() -> magpie::task<> {
    EXPECT_EQ(variable.get()->value, 1);
    variable.set(std::make_shared<counted>(2));
    EXPECT_EQ(variable.get()->value, 2);
    co_return;
  };
  const auto run = [&]() -> magpie::task<> {
    variable.set(std::make_shared<counted>(1));
    co_await magpie::spawn(child());
    EXPECT_EQ(counted::alive(), 1);
  };
  const auto handle = runtime.spawn(run());
  handle.get();
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(task_locals, of_a_variable_that_is_gone_are_nobodys) {
  const auto run = [&]() -> magpie::task<> {
    auto gone = std::make_unique<task_local<std::string>>("default");
    gone->set("left behind");
    gone = std::make_unique<task_local<std::string>>("default");
    EXPECT_EQ(gone->get(), "default");
    co_return;
  };
  runtime.block_on(run());
}

}  // namespace
