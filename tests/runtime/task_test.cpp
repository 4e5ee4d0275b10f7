#include <magpie/task.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/worker_counts.hpp"

namespace {

using magpie::test::counted;
using magpie::test::eventually;

class task : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(task);

static_assert(!std::is_copy_constructible_v<magpie::task<int>>);
static_assert(std::is_nothrow_move_constructible_v<magpie::task<int>>);

magpie::task<int> give(int value) { co_return value; }
magpie::task<> nothing() { co_return; }
magpie::task<int> fail(std::string what) {
  throw std::runtime_error(what);
  co_return 0;
}

TEST_P(task, gives_its_value) { EXPECT_EQ(runtime.block_on(give(42)), 42); }

TEST_P(task, of_void_ends) { runtime.block_on(nothing()); }

TEST_P(task, gives_a_reference_to_the_very_object) {
  int object = 1;
  const auto refer = [](int& target) -> magpie::task<int&> { co_return target; };
  const auto through = [&refer](int& target) -> magpie::task<int&> {
    int& same = co_await refer(target);
    co_return same;
  };
  EXPECT_EQ(&runtime.block_on(through(object)), &object);
}

TEST_P(task, gives_a_value_that_can_only_be_moved) {
  const auto make = [](int value) -> magpie::task<std::unique_ptr<int>> {
    co_return std::make_unique<int>(value);
  };
  const auto add_one = [&make](int value) -> magpie::task<std::unique_ptr<int>> {
    auto made = co_await make(value);
    ++*made;
    co_return made;
  };
  EXPECT_EQ(*runtime.block_on(add_one(6)), 7);
}

TEST_P(task, takes_a_value_that_converts) {
  const auto text = []() -> magpie::task<std::string> { co_return "literal"; };
  EXPECT_EQ(runtime.block_on(text()), "literal");
}

TEST_P(task, is_lazy) {
  bool started = false;
  const auto note = [&started]() -> magpie::task<> {
    started = true;
    co_return;
  };
  {
    const magpie::task<> never_awaited = note();
    EXPECT_TRUE(never_awaited);
  }
  EXPECT_FALSE(started);
  runtime.block_on(note());
  EXPECT_TRUE(started);
}

TEST_P(task, rethrows_what_its_child_threw) {
  const auto outer = []() -> magpie::task<std::string> {
    try {
      co_await fail("inner");
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing thrown";
  };
  EXPECT_EQ(runtime.block_on(outer()), "inner");
}

TEST_P(task, passes_an_exception_through_many_levels) {
  struct down {
    static magpie::task<int> levels(int count) {
      const counted local(count);
      if (count == 0) throw std::runtime_error("bottom");
      const int deeper = co_await levels(count - 1);
      co_return deeper;
    }
  };
  EXPECT_THROW(runtime.block_on(down::levels(100)), std::runtime_error);
  EXPECT_EQ(counted::alive(), 0);
}

TEST_P(task, may_throw_something_that_is_no_exception_class) {
  const auto throws = []() -> magpie::task<> {
    throw 7;
    co_return;
  };
  EXPECT_THROW(runtime.block_on(throws()), int);
}

TEST_P(task, destroys_its_frame_once_however_it_ends) {
  const auto hold = [](counted parameter) -> magpie::task<counted> {
    const counted local(1);
    co_return parameter;
  };
  const auto hold_and_fail = [](counted parameter) -> magpie::task<counted> {
    const counted local(1);
    throw std::runtime_error("failed");
    co_return parameter;
  };
  {
    EXPECT_EQ(runtime.block_on(hold(counted(9))).value, 9);
    EXPECT_THROW(runtime.block_on(hold_and_fail(counted(9))), std::runtime_error);
    const auto never_started = hold(counted(9));
    auto moved_over = hold(counted(8));
    moved_over = hold(counted(9));
  }
  // A result that was moved out goes with its task, which the worker may let go of a moment later.
  EXPECT_TRUE(eventually([] { return counted::alive() == 0; }));
}

TEST_P(task, releases_the_frame_of_a_child_when_the_await_is_over) {
  const auto child = [](counted parameter) -> magpie::task<int> { co_return parameter.value; };
  const auto parent = [&child]() -> magpie::task<int> {
    auto lazy = child(counted(5));
    const int value = co_await std::move(lazy);
    co_return value * 10 + counted::alive();
  };
  EXPECT_EQ(runtime.block_on(parent()), 50);
}

TEST_P(task, that_is_empty_is_an_error_to_await) {
  const auto twice = []() -> magpie::task<std::string> {
    auto lazy = give(1);
    const int first = co_await std::move(lazy);
    try {
      const int second = co_await std::move(lazy);  // NOLINT(bugprone-use-after-move): the subject
      co_return "got " + std::to_string(first + second);
    } catch (const magpie::invalid_state& error) {
      co_return error.what();
    }
  };
  EXPECT_EQ(runtime.block_on(twice()),
            "magpie: expected a task that has not been awaited, spawned or moved from");
  auto lazy = give(1);
  auto owner = std::move(lazy);
  EXPECT_THROW(runtime.spawn(std::move(lazy)), magpie::invalid_state);     // NOLINT: the subject
  EXPECT_THROW(runtime.block_on(std::move(lazy)), magpie::invalid_state);  // NOLINT: the subject
}

// Awaiting is a transfer, not a call: neither a long loop of awaits nor deep nesting uses the
// stack.

std::size_t stack_position() { return reinterpret_cast<std::size_t>(__builtin_frame_address(0)); }

class stack_extent {
 public:
  void note() {
    const std::size_t now = stack_position();
    lowest_ = std::min(lowest_, now);
    highest_ = std::max(highest_, now);
  }
  [[nodiscard]] std::size_t bytes() const { return highest_ - lowest_; }

 private:
  std::size_t lowest_ = stack_position();
  std::size_t highest_ = stack_position();
};

magpie::task<> touch(stack_extent& stack) {
  stack.note();
  co_return;
}

TEST_P(task, awaits_ten_million_children_in_constant_stack) {
  const auto loop = []() -> magpie::task<std::size_t> {
    stack_extent stack;
    for (int i = 0; i < 10'000'000; ++i) co_await touch(stack);
    co_return stack.bytes();
  };
  EXPECT_LT(runtime.block_on(loop()), 64 * 1024);
}

magpie::task<int> nest(int depth, stack_extent& stack) {
  stack.note();
  if (depth == 0) co_return 0;
  const int below = co_await nest(depth - 1, stack);
  stack.note();
  co_return below + 1;
}

TEST_P(task, nests_a_million_deep_in_constant_stack) {
  const auto measure = []() -> magpie::task<std::size_t> {
    stack_extent stack;
    const int depth = co_await nest(1'000'000, stack);
    EXPECT_EQ(depth, 1'000'000);
    co_return stack.bytes();
  };
  EXPECT_LT(runtime.block_on(measure()), 64 * 1024);
}

}  // namespace
