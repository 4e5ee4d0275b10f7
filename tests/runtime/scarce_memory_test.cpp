#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/parallel_invoke.hpp>
#include <magpie/runtime.hpp>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "support/cancelling.hpp"
#include "support/eventually.hpp"
#include "support/invoke_so.hpp"
#include "support/tasks.hpp"

// What is done when there is no memory. Without sanitizers: theirs is the only operator new then.

#if !MAGPIE_ADDRESS_SANITIZER && !MAGPIE_THREAD_SANITIZER

namespace {

constexpr long unlimited = -1;
thread_local long allocations_left = unlimited;

/// While it lives, this thread's allocations fail, but for the first so many.
struct scarcity {
  explicit scarcity(long left = 0) { allocations_left = left; }
  scarcity(const scarcity&) = delete;
  scarcity& operator=(const scarcity&) = delete;
  ~scarcity() { allocations_left = unlimited; }
};

void* allocate(std::size_t size) {
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left != unlimited) --allocations_left;
  void* const block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }

namespace {

using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::in_task;
using magpie::test::reason_of;
using magpie::test::sleep_long;
using magpie::test::wait_until_done;

class scarce_memory : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

// Forks whose lane cannot grow. A lane has room for some hundreds.

/// How many of the seconds at `levels` levels were called, each below the first of the one before.
template <class Bottom>
void down(int levels, int& calls, const Bottom& bottom) {
  if (levels == 0) return bottom();
  magpie::parallel_invoke([&] { down(levels - 1, calls, bottom); }, [&] { ++calls; });
}

TEST_F(scarce_memory, parallel_invoke_calls_one_after_the_other) {
  constexpr int levels = 2000;
  int calls = 0;
  const auto bottom = [&calls] { EXPECT_EQ(calls, 0); };
  runtime.block_on(in_task([&] {
    const scarcity here;
    down(levels, calls, bottom);
  }));
  EXPECT_EQ(calls, levels);
}

TEST_F(scarce_memory, parallel_invoke_calls_all_though_the_first_throws) {
  constexpr int levels = 2000;
  int calls = 0;
  const auto bottom = [] { throw 7; };
  const auto body = [&] {
    const scarcity here;
    down(levels, calls, bottom);
  };
  EXPECT_THROW(runtime.block_on(in_task(body)), int);
  EXPECT_EQ(calls, levels);
}

// Rule 96: a call throws bad_alloc, and then has had no effect, or does without memory.

/// Calls `call` with ever more memory, until it does not throw bad_alloc. Calls `check` after each
/// call that did. Returns how many those were.
template <class Call, class Check>
long failures_of(const Call& call, const Check& check) {
  for (long left = 0;; ++left) {
    try {
      const scarcity here(left);
      call();
      return left;
    } catch (const std::bad_alloc&) {
      check();
    }
  }
}

constexpr const char* long_text = "so long that a string needs memory for it";

TEST_F(scarce_memory, a_runtime_starts_or_throws) {
  const auto start = [] { const magpie::runtime started{{.workers = 2}}; };
  EXPECT_GT(failures_of(start, [] {}), 5);
}

TEST_F(scarce_memory, a_request_is_made_or_not) {
  const auto sleeping = runtime.spawn(sleep_long(), {.name = long_text});
  const auto nothing_happened = [&] { EXPECT_EQ(sleeping.cancelling(), 0U); };
  EXPECT_GT(failures_of([&] { sleeping.cancel(long_text); }, nothing_happened), 0);
  EXPECT_EQ(sleeping.cancelling(), 1U);
  wait_until_done(sleeping);
  EXPECT_EQ(reason_of(sleeping), long_text);
}

TEST_F(scarce_memory, a_request_without_a_reason_needs_none) {
  const auto sleeping = runtime.spawn(sleep_long());
  EXPECT_EQ(failures_of([&] { sleeping.cancel(); }, [] {}), 0);
  wait_until_done(sleeping);
}

TEST_F(scarce_memory, a_done_callback_is_added_or_not) {
  for (const bool has_ended : {false, true}) {
    const auto sleeping = runtime.spawn(sleep_long());
    if (has_ended) {
      sleeping.cancel();
      wait_until_done(sleeping);
    }
    std::atomic<int> calls{0};
    const magpie::done_callback count = [&calls](const magpie::any_task_handle&) { ++calls; };
    const auto add = [&] { sleeping.add_done_callback(count); };
    EXPECT_GT(failures_of(add, [] {}), 0);
    add();
    sleeping.cancel();
    EXPECT_TRUE(eventually([&] { return calls == 2; }));
  }
}

TEST_F(scarce_memory, a_name_is_set_or_not) {
  const auto sleeping = runtime.spawn(sleep_long(), {.name = "before"});
  const auto is_as_before = [&] { EXPECT_EQ(sleeping.name(), "before"); };
  EXPECT_GT(failures_of([&] { sleeping.set_name(long_text); }, is_as_before), 0);
  std::string name;
  EXPECT_GT(failures_of([&] { name = sleeping.name(); }, [] {}), 0);
  EXPECT_EQ(name, long_text);
  sleeping.cancel();
}

TEST_F(scarce_memory, tasks_are_listed_or_not) {
  std::vector<magpie::task_handle<>> sleeping;
  for (int i = 0; i < 100; ++i) sleeping.push_back(runtime.spawn(sleep_long()));
  std::size_t listed = 0;
  EXPECT_GT(failures_of([&] { listed = runtime.all_tasks().size(); }, [] {}), 0);
  EXPECT_EQ(listed, sleeping.size());
}

TEST_F(scarce_memory, a_failure_is_reported) {
  static std::atomic<int> reported{0};
  reported = 0;
  const auto note = [](const magpie::unobserved_failure& failure) noexcept {
    EXPECT_EQ(failure.task_name, "(out of memory)");
    ++reported;
  };
  magpie::runtime driven{{.workers = 0, .on_unobserved = note}};
  auto failing = driven.spawn(fail("so"), {.name = long_text});
  EXPECT_TRUE(eventually([&] { return driven.poll_one() || failing.done(); }));
  const scarcity here;
  failing = {};
  EXPECT_EQ(reported, 1);
}

TEST_F(scarce_memory, a_runtime_ends) {
  for (const std::size_t workers : {0U, 1U, 2U}) {
    std::optional<magpie::runtime> ending;
    ending.emplace(magpie::runtime_options{.workers = workers});
    std::vector<magpie::task_handle<>> sleeping;
    for (int i = 0; i < 1000; ++i) sleeping.push_back(ending->spawn(sleep_long()));
    const scarcity here;
    ending.reset();
    for (const auto& each : sleeping) EXPECT_TRUE(each.cancelled());
  }
}

}  // namespace

#endif
