#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/magpie.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// What tasks share loses nothing and leaves nobody behind, whoever is cancelled when.

namespace {

using namespace std::chrono_literals;
using magpie::condition;
using magpie::mutex;
using magpie::permit;
using magpie::test::eventually;
using magpie::test::scaled;

class shared_objects : public magpie::test::each_worker_count {
 protected:
  /// Spawns what `make()` makes, `total` times in all, some at a time, and cancels every other one.
  template <class Make>
  void spawn_and_cancel(std::size_t total, Make make) {
    std::mt19937_64 random(magpie::test::announced_seed());
    constexpr std::size_t round = 64;
    for (std::size_t left = total; left != 0;) {
      const std::size_t count = std::min(left, round);
      left -= count;
      std::vector<magpie::task<>> bodies;
      for (std::size_t i = 0; i < count; ++i) bodies.push_back(make(random()));
      auto handles = runtime.spawn_many(std::move(bodies));
      for (auto& each : handles) {
        if (random() % 2 == 0) each.cancel();
      }
      for (auto& each : handles) {
        ASSERT_TRUE(eventually([&] { return each.done(); })) << "somebody is stuck";
      }
    }
  }

  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(shared_objects);

TEST_P(shared_objects, a_mutex_half_of_whose_million_locks_are_cancelled) {
  mutex entering;
  std::size_t inside = 0;
  std::size_t times = 0;
  const auto lock_once = [&](std::uint64_t chance) -> magpie::task<> {
    const mutex::guard held = co_await entering.lock();
    EXPECT_EQ(++inside, 1U);
    ++times;
    if (chance % 2 == 0) {
      try {
        co_await magpie::yield();
      } catch (const magpie::cancelled&) {
      }
    }
    --inside;
  };
  spawn_and_cancel(scaled(1e6), lock_once);
  EXPECT_EQ(inside, 0U);
  EXPECT_GT(times, 0U);
  EXPECT_FALSE(entering.is_locked());
}

// Each item is put in and announced to one; whoever gets the notice and is cancelled passes it on.
TEST_P(shared_objects, a_condition_half_of_whose_million_waits_are_cancelled) {
  mutex entering;
  condition changed;
  std::size_t items = 0;
  std::size_t taken = 0;
  const auto take_or_put = [&](std::uint64_t chance) -> magpie::task<> {
    mutex::guard held = co_await entering.lock();
    if (chance % 2 == 0) {
      ++items;
      changed.notify_one();
      co_return;
    }
    // So that the takers that are one too many go on, too.
    while (items == 0) {
      try {
        co_await magpie::wait_for(changed.wait(held), 1ms);
      } catch (const magpie::timeout_error&) {
        co_return;
      }
    }
    --items;
    ++taken;
  };
  spawn_and_cancel(scaled(1e6), take_or_put);
  EXPECT_GT(taken, 0U);
  EXPECT_FALSE(entering.is_locked());
}

TEST_P(shared_objects, a_barrier_half_of_whose_million_waits_are_cancelled) {
  magpie::barrier three(3);
  std::atomic<std::size_t> gone_on{0};
  const auto come = [&](std::uint64_t) -> magpie::task<> {
    try {
      co_await magpie::wait_for(three.wait(), 1ms);
      ++gone_on;
    } catch (const magpie::timeout_error&) {
    }
  };
  spawn_and_cancel(scaled(1e6), come);
  EXPECT_EQ(three.count(), 0U);
  EXPECT_GT(gone_on, 0U);
}

TEST_P(shared_objects, an_event_half_of_whose_million_waits_are_cancelled) {
  magpie::event happens;
  const auto wait_or_set = [&](std::uint64_t chance) -> magpie::task<> {
    if (chance % 4 == 0) {
      happens.set();
      happens.clear();
      co_return;
    }
    try {
      co_await magpie::wait_for(happens.wait(), 1ms);
    } catch (const magpie::timeout_error&) {
    }
  };
  spawn_and_cancel(scaled(1e6), wait_or_set);
}

// A cancel swept over every step of a small program, under many orders of its steps. Each program
// has some tasks that may be cancelled; check() is called when nothing runs any more.

struct mutex_program {
  static constexpr const char* name = "of_mutex";
  static constexpr std::size_t tasks = 4;
  mutex entering;

  magpie::task<> run(std::size_t) {
    const mutex::guard held = co_await entering.lock();
    co_await magpie::yield();
  }
  [[nodiscard]] bool all_must_end() const { return true; }
  void check() { EXPECT_TRUE(entering.try_lock()); }
};

struct semaphore_program {
  static constexpr const char* name = "of_semaphore";
  static constexpr std::size_t tasks = 4;
  magpie::semaphore three{3};

  magpie::task<> run(std::size_t number) {
    const permit held = co_await three.acquire(1 + number % 3);
    co_await magpie::yield();
  }
  [[nodiscard]] bool all_must_end() const { return true; }
  void check() {
    EXPECT_EQ(three.available(), 3);
    EXPECT_EQ(three.waiting(), 0U);
  }
};

struct shared_mutex_program {
  static constexpr const char* name = "of_shared_mutex";
  static constexpr std::size_t tasks = 5;
  magpie::shared_mutex table;

  magpie::task<> run(std::size_t number) {
    permit held;
    if (number % 2 == 0) {
      held = co_await table.lock_shared();
    } else {
      held = co_await table.lock();
    }
    co_await magpie::yield();
  }
  [[nodiscard]] bool all_must_end() const { return true; }
  void check() { EXPECT_TRUE(table.try_lock()); }
};

/// Two put an item in, three want one.
struct condition_program {
  static constexpr const char* name = "of_condition";
  static constexpr std::size_t tasks = 5;
  mutex entering;
  condition changed;
  std::size_t items = 0;
  std::size_t wanting = 0;

  magpie::task<> run(std::size_t number) {
    mutex::guard held = co_await entering.lock();
    if (number < 2) {
      ++items;
      changed.notify_one();
      co_await magpie::yield();
      co_return;
    }
    struct counting {
      std::size_t& count;
      explicit counting(std::size_t& to) : count(to) { ++count; }
      ~counting() { --count; }
    } const wants(wanting);
    co_await changed.wait(held, [this] { return items != 0; });
    --items;
  }
  [[nodiscard]] bool all_must_end() const { return false; }
  void check() {
    EXPECT_TRUE(items == 0 || wanting == 0) << "a notification was lost";
    EXPECT_TRUE(entering.try_lock());
  }
};

struct event_program {
  static constexpr const char* name = "of_event";
  static constexpr std::size_t tasks = 4;
  magpie::event happens;
  bool has_been_set = false;

  magpie::task<> run(std::size_t number) {
    if (number == 0) {
      co_await magpie::yield();
      has_been_set = true;
      happens.set();
      co_return;
    }
    co_await happens.wait();
  }
  [[nodiscard]] bool all_must_end() const { return has_been_set; }
  void check() { EXPECT_EQ(happens.is_set(), has_been_set); }
};

struct barrier_program {
  static constexpr const char* name = "of_barrier";
  static constexpr std::size_t tasks = 5;
  magpie::barrier three{3};

  magpie::task<> run(std::size_t number) {
    if (number % 2 == 0) co_await magpie::yield();
    static_cast<void>(co_await three.wait());
  }
  [[nodiscard]] bool all_must_end() const { return false; }
  void check() { EXPECT_LT(three.count(), 3U); }
};

struct once_program {
  static constexpr const char* name = "of_once";
  static constexpr std::size_t tasks = 4;
  magpie::once done;

  magpie::task<> run(std::size_t) {
    const auto call = []() -> magpie::task<> { co_await magpie::yield(); };
    co_await done.call(call);
  }
  [[nodiscard]] bool all_must_end() const { return true; }
  void check() { EXPECT_TRUE(done.is_done()); }
};

struct rate_limiter_program {
  static constexpr const char* name = "of_rate_limiter";
  static constexpr std::size_t tasks = 4;
  magpie::rate_limiter calls{magpie::rate{1, 1s, 1}};

  magpie::task<> run(std::size_t number) { co_await calls.acquire(1 + number % 2); }
  [[nodiscard]] bool all_must_end() const { return true; }
  void check() { EXPECT_EQ(calls.waiting(), 0U); }
};

template <class Program>
class shared_objects_sweep : public testing::Test {};
using programs =
    testing::Types<semaphore_program, mutex_program, shared_mutex_program, condition_program,
                   event_program, barrier_program, once_program, rate_limiter_program>;

struct name_of_program {
  template <class Program>
  static std::string GetName(int) {
    return Program::name;
  }
};
TYPED_TEST_SUITE(shared_objects_sweep, programs, name_of_program);

TYPED_TEST(shared_objects_sweep, a_cancel_at_every_step) {
  constexpr std::size_t tasks = TypeParam::tasks;
  for (std::uint64_t seed = 1; seed <= scaled(1000); ++seed) {
    for (std::size_t victim = 0; victim < tasks; ++victim) {
      bool was_in_time = true;
      for (std::size_t step = 0; was_in_time; ++step) {
        magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time, .seed = seed}};
        TypeParam program;
        std::vector<magpie::task_handle<>> handles;
        for (std::size_t i = 0; i < tasks; ++i) handles.push_back(runtime.spawn(program.run(i)));
        for (std::size_t done = 0; done < step; ++done) static_cast<void>(runtime.poll_one());
        was_in_time = !handles[victim].done() && handles[victim].cancel();
        runtime.run_for(1h);
        SCOPED_TRACE("seed " + std::to_string(seed) + ", victim " + std::to_string(victim) +
                     ", step " + std::to_string(step));
        ASSERT_TRUE(handles[victim].done());
        ASSERT_EQ(handles[victim].cancelled(), was_in_time);
        for (const auto& each : handles) ASSERT_TRUE(each.done() || !program.all_must_end());
        program.check();
        if (testing::Test::HasFailure()) return;
        for (const auto& each : handles) each.cancel();
        runtime.run_for(1h);
        if (step > 100) break;  // the victim waits for what does not come
      }
    }
  }
}

}  // namespace
