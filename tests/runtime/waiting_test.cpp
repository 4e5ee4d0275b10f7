#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <magpie/parallel_invoke.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/yield.hpp>
#include <random>
#include <thread>
#include <tuple>
#include <vector>

#include "support/eventually.hpp"
#include "support/invoke_so.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// What a call does while it waits for a thief, on what stack, and beside what else.

namespace {

using namespace std::chrono_literals;
using magpie::test::announced_seed;
using magpie::test::eventually;
using magpie::test::fibonacci;
using magpie::test::in_task;
using magpie::test::invoke_so;
using magpie::test::scaled;
using magpie::test::second;

class waiting_on_two_workers : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 2}};
};

class waiting : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(waiting);

[[nodiscard]] std::chrono::nanoseconds processor_time_of_this_thread() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

TEST_F(waiting_on_two_workers, sleeps_while_a_thief_computes) {
  // All in processor time, which other programs' load does not stretch.
  constexpr int rounds = 5;
  constexpr std::chrono::nanoseconds computation = 20ms;
  const auto wait_for_thief = [=]() -> std::chrono::nanoseconds {
    std::chrono::nanoseconds before{};
    invoke_so(
        second::is_stolen, [&] { before = processor_time_of_this_thread(); },
        [=] {
          const auto end = processor_time_of_this_thread() + computation;
          while (processor_time_of_this_thread() < end) {
          }
        });
    return processor_time_of_this_thread() - before;
  };
  std::chrono::nanoseconds waited{};
  for (int i = 0; i < rounds; ++i) waited += runtime.block_on(in_task(wait_for_thief));
  EXPECT_LT(waited, rounds * computation * 3 / 4);
}

TEST_F(waiting_on_two_workers, helps_the_thief) {
  // The thief of the outer half cannot end before somebody calls the half that it offers itself.
  const auto depends_on_help = [] {
    std::thread::id thief;
    std::thread::id helper;
    const auto outer = [&] {
      thief = std::this_thread::get_id();
      invoke_so(second::is_stolen, [] {}, [&] { helper = std::this_thread::get_id(); });
    };
    invoke_so(second::is_stolen, [] {}, outer);
    return thief != std::this_thread::get_id() && helper == std::this_thread::get_id();
  };
  for (std::size_t i = 0; i < scaled(5000); ++i) {
    ASSERT_TRUE(runtime.block_on(in_task(depends_on_help)));
  }
}

/// Below `levels` open forks, more than a lane has room for at first, offers one more.
int offer_below(int levels) {
  if (levels == 0) {
    const auto one = [] { return 1; };
    return std::get<1>(invoke_so(second::is_stolen, one, one));
  }
  const auto [below, here] =
      magpie::parallel_invoke([levels] { return offer_below(levels - 1); }, [] { return 1; });
  return below + here;
}

TEST_F(waiting_on_two_workers, offers_at_any_depth) {
  EXPECT_EQ(runtime.block_on(in_task([] { return offer_below(1000); })), 1001);
}

/// For so long that others can do something.
void give_away_the_processor() {
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
}

TEST(waiting_on_three_workers, helps_nobody_but_the_thief) {
  magpie::runtime runtime{{.workers = 3}};
  for (int round = 0; round < 5; ++round) {
    std::atomic<bool> thief_computes{false};
    std::atomic<bool> all_others_done{false};
    std::thread::id waiter;
    std::thread::id bystander;
    std::thread::id caller_of_bait;
    const auto wait = [&] {
      waiter = std::this_thread::get_id();
      const auto compute = [&] {
        thief_computes = true;
        EXPECT_TRUE(eventually([&] { return all_others_done.load(); }));
      };
      invoke_so(second::is_stolen, [] {}, compute);
    };
    // The third worker's fork, which only the waiting one could take from it.
    const auto stand_by = [&] {
      bystander = std::this_thread::get_id();
      magpie::parallel_invoke(&give_away_the_processor,
                              [&] { caller_of_bait = std::this_thread::get_id(); });
      all_others_done = true;
    };
    const auto waiting_task = runtime.spawn(in_task(wait));
    ASSERT_TRUE(eventually([&] { return thief_computes.load(); }));
    runtime.block_on(in_task(stand_by));
    ASSERT_TRUE(eventually([&] { return waiting_task.done(); }));
    // Where the third is slow to wake up, the watch has the waiting one stand by, and the third may
    // steal from it.
    EXPECT_TRUE(bystander == waiter || bystander == caller_of_bait);
  }
}

// Stacks. A thief that helps only the thief of what it waits for climbs down with every call on its
// stack, so no stack is deeper than that of the serial program.

class stack_depth {
 public:
  /// Counts the calls of `node` that are open on this thread's stack.
  class visit {
   public:
    explicit visit(stack_depth& totals) {
      raise(totals.most_calls_, ++open_calls());
      raise(totals.most_bytes_, bytes_in_use());
    }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;
    ~visit() { --open_calls(); }
  };

  [[nodiscard]] std::size_t most_calls() const { return most_calls_; }
  [[nodiscard]] std::size_t most_bytes() const { return most_bytes_; }

 private:
  [[gnu::noinline]] static std::size_t& open_calls() {
    thread_local std::size_t count = 0;
    return count;
  }

  /// Of this thread's stack. Not by a local's address, which AddressSanitizer puts elsewhere.
  [[gnu::noinline]] static std::size_t bytes_in_use() {
    thread_local const std::uintptr_t begin = [] {
      pthread_attr_t attributes;
      void* lowest = nullptr;
      std::size_t size = 0;
      ::pthread_getattr_np(::pthread_self(), &attributes);
      ::pthread_attr_getstack(&attributes, &lowest, &size);
      ::pthread_attr_destroy(&attributes);
      return reinterpret_cast<std::uintptr_t>(lowest) + size;
    }();
    return begin - reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  }

  static void raise(std::atomic<std::size_t>& most, std::size_t value) {
    std::size_t seen = most.load();
    while (seen < value && !most.compare_exchange_weak(seen, value)) {
    }
  }

  std::atomic<std::size_t> most_calls_{0};
  std::atomic<std::size_t> most_bytes_{0};
};

/// An unbalanced tree of `levels` levels, whose deep side is now the first closure, now the second.
// NOLINTNEXTLINE(misc-no-recursion)
[[gnu::noinline]] long node(stack_depth& depth, int levels, std::uint32_t seed) {
  const stack_depth::visit here(depth);
  // As much as the frames of a wait, so that a call on top of one is no deeper than in its place.
  std::array<char, 1024> ballast;
  asm volatile("" : : "r"(ballast.data()) : "memory");
  if (levels <= 1) return 1;
  seed = seed * 1664525 + 1013904223;
  const int shallow = levels - 1 - static_cast<int>(seed >> 20) % 24;
  const auto deep_one = [&] { return node(depth, levels - 1, seed); };
  const auto shallow_one = [&] { return shallow > 0 ? node(depth, shallow, seed + 1) : 0; };
  const auto [first, last] = (seed >> 30) % 2 == 0 ? magpie::parallel_invoke(deep_one, shallow_one)
                                                   : magpie::parallel_invoke(shallow_one, deep_one);
  asm volatile("" : : "r"(ballast.data()) : "memory");
  return first + last + 1;
}

TEST(parallel_invoke_stack, is_as_deep_as_the_serial_programs) {
  constexpr int levels = 60;
  constexpr std::size_t of_the_loop = std::size_t{16} * 1024;
  std::mt19937 random(static_cast<std::uint32_t>(announced_seed()));
  stack_depth serial;
  stack_depth parallel;
  magpie::runtime alone{{.workers = 1}};
  magpie::runtime many{{.workers = 8}};
  for (std::size_t i = 0; i < scaled(500); ++i) {  // of some 100 000 calls each
    const auto seed = static_cast<std::uint32_t>(random());
    const auto nodes = alone.block_on(in_task([&] { return node(serial, levels, seed); }));
    ASSERT_EQ(many.block_on(in_task([&] { return node(parallel, levels, seed); })), nodes);
    ASSERT_EQ(serial.most_calls(), std::size_t{levels});
    ASSERT_LE(parallel.most_calls(), std::size_t{levels}) << "run " << i;
    ASSERT_LE(parallel.most_bytes(), serial.most_bytes() + of_the_loop) << "run " << i;
  }
}

// Several at once.

TEST(parallel_invoke_stress, in_many_runtimes_at_once) {
  constexpr std::size_t runtimes = 4;
  std::vector<std::thread> threads;
  std::atomic<std::size_t> right{0};
  const std::size_t rounds = scaled(1000);
  for (std::size_t i = 0; i < runtimes; ++i) {
    threads.emplace_back([&right, rounds, i] {
      for (std::size_t round = 0; round < rounds; ++round) {
        magpie::runtime own{{.workers = 1 + (i + round) % 4}};
        right += own.block_on(in_task([] { return fibonacci(15); })) == 610 ? 1 : 0;
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(right, runtimes * rounds);
}

TEST_P(waiting, beside_tasks_that_yield_and_sleep) {
  std::atomic<bool> stop{false};
  const auto restless = [&stop](int pace) -> magpie::task<long> {
    long turns = 0;
    while (!stop) {
      if (++turns % pace == 0) {
        co_await magpie::sleep_for(100us);
      } else {
        co_await magpie::yield();
      }
    }
    co_return turns;
  };
  const auto compute = [](int rounds) -> magpie::task<long> {
    long sum = 0;
    for (int i = 0; i < rounds; ++i) {
      sum += fibonacci(14);
      co_await magpie::yield();
    }
    co_return sum;
  };
  std::vector<magpie::task_handle<long>> background;
  for (int i = 1; i <= 6; ++i) background.push_back(runtime.spawn(restless(i)));
  std::vector<magpie::task_handle<long>> computing;
  for (int i = 0; i < 6; ++i) computing.push_back(runtime.spawn(compute(20)));
  for (const auto& each : computing) {
    ASSERT_TRUE(eventually([&] { return each.done(); }));
    EXPECT_EQ(each.result(), 20 * 377);
  }
  stop = true;
  for (const auto& each : background) EXPECT_TRUE(eventually([&] { return each.done(); }));
}

}  // namespace
