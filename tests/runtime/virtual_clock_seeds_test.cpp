#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <magpie/errors.hpp>
#include <magpie/gather.hpp>
#include <magpie/runtime.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/scale.hpp"
#include "support/tasks.hpp"
#include "support/virtual_clock.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::virtual_time;
using magpie::test::fail;
using magpie::test::sleep_long;
using magpie::test::start;

/// What is seen of tasks that yield, sleep, time out, fail, are cancelled and await each other.
std::vector<std::string> transcript(std::uint64_t seed) {
  std::vector<std::string> lines;
  const auto say = [&lines](const std::string& who, const std::string& what) {
    lines.push_back(std::to_string((magpie::now() - start) / 1ns) + " " + who + " " + what);
  };
  const auto work = [&](std::string who, std::uint64_t own_seed) -> magpie::task<int> {
    std::mt19937_64 random(own_seed);
    for (int step = 0; step < 20; ++step) {
      const auto delay = std::chrono::seconds(random() % 4);
      std::string ended = "went on";
      try {
        switch (random() % 4) {
          case 0:
            co_await magpie::yield();
            break;
          case 1:
            co_await magpie::sleep_for(delay);
            break;
          case 2:
            co_await magpie::wait_for(sleep_long(), delay);
            break;
          default:
            co_await magpie::spawn(fail(who));
        }
      } catch (const magpie::timeout_error&) {
        ended = "was out of time";
      } catch (const std::exception& error) {
        ended = error.what();
      } catch (const magpie::cancelled&) {
        ended = "was cancelled";
      }
      say(who, ended);
    }
    co_return 1;
  };
  const auto root = [&]() -> magpie::task<> {
    std::vector<magpie::task_handle<int>> all;
    for (int i = 0; i < 10; ++i) {
      const std::string name = "task " + std::to_string(i);
      all.push_back(magpie::spawn(work(name, static_cast<std::uint64_t>(i)), {.name = name}));
    }
    co_await magpie::sleep_for(3s);
    all[0].cancel();
    for (auto& each : all) co_await each;
    say("root", "ends");
  };
  magpie::runtime runtime{{.workers = 0, .time = virtual_time, .seed = seed}};
  runtime.block_on(root());
  return lines;
}

TEST(virtual_clock_seeds, repeat_a_run_and_differ_from_each_other) {
  std::set<std::vector<std::string>> different;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto first = transcript(seed);
    EXPECT_EQ(first.size(), 201U);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(transcript(seed), first) << "seed " << seed;
    different.insert(first);
  }
  EXPECT_EQ(different.size(), 20U);
}

// Without a seed: first in, first out, as in asyncio.

TEST(virtual_clock_seeds, leave_the_order_alone_when_there_is_none) {
  for (const magpie::time_source time : {magpie::real_time, virtual_time}) {
    std::string order;
    magpie::runtime runtime{{.workers = 0, .time = time}};
    const auto say_twice = [&order](char who, bool spawns) -> magpie::task<> {
      order += who;
      const auto one_more = [&order]() -> magpie::task<> {
        order += 'n';
        co_return;
      };
      if (spawns) static_cast<void>(magpie::spawn(one_more()));
      co_await magpie::yield();
      order += who;
    };
    const auto await_and_say = [&order](magpie::task_handle<> awaited) -> magpie::task<> {
      order += 'w';
      co_await awaited;
      order += 'w';
    };
    const auto a = runtime.spawn(say_twice('a', false));
    const auto w = runtime.spawn(await_and_say(a));
    static_cast<void>(runtime.spawn(say_twice('b', true)));
    static_cast<void>(runtime.spawn(say_twice('c', false)));
    runtime.run_until_idle();
    // The end of a wakes w, which then is behind all others.
    EXPECT_EQ(order, "awbcanbcw") << "no task overtakes another";
    EXPECT_TRUE(w.done());
  }
}

TEST(virtual_clock_seeds, leave_the_order_of_many_alone_when_there_is_none) {
  std::vector<int> order;
  std::vector<int> expected;
  magpie::runtime runtime{{.workers = 0, .time = virtual_time}};
  const auto say = [&order](int who) -> magpie::task<> {
    for (int round = 0; round < 5; ++round) {
      order.push_back(round * 1000 + who);
      co_await magpie::yield();
    }
  };
  const auto spawn_many = [&](int from, int to) {
    for (int i = from; i < to; ++i) static_cast<void>(runtime.spawn(say(i)));
  };
  // More than a ring holds. The second half is spawned by a task, when the first has yielded once.
  spawn_many(0, 400);
  const auto spawner = [&]() -> magpie::task<> {
    spawn_many(400, 800);
    co_return;
  };
  static_cast<void>(runtime.spawn(spawner()));
  runtime.run_until_idle();
  const auto expect = [&expected](int from, int to, int round) {
    for (int i = from; i < to; ++i) expected.push_back(round * 1000 + i);
  };
  for (int round = 0; round <= 5; ++round) {
    if (round < 5) expect(0, 400, round);
    if (round > 0) expect(400, 800, round - 1);
  }
  EXPECT_EQ(order, expected);
}

// A program of many tasks that do all that tasks do.

class random_program {
 public:
  [[nodiscard]] static std::string log_of(std::uint64_t seed) {
    random_program made;
    magpie::runtime runtime{{.workers = 0, .time = virtual_time, .seed = seed}};
    runtime.block_on(made.root());
    return std::move(made.log_);
  }

 private:
  static constexpr std::size_t count = 1000;

  void note(std::size_t who, std::string_view what) {
    log_ += std::to_string((magpie::now() - start) / 1ms) + ' ' + std::to_string(who) + ' ';
    log_ += what;
    log_ += '\n';
  }

  static magpie::task<> nap(std::uint64_t length) {
    co_await magpie::sleep_for(std::chrono::milliseconds(length));
  }

  magpie::task<> step(std::size_t who, std::mt19937_64& random) {
    const std::uint64_t first = random() % 50;
    const std::uint64_t second = random() % 50;
    switch (random() % 6) {
      case 0:
        note(who, "sleeps");
        co_await nap(first);
        break;
      case 1:
        note(who, "sleeps within a limit");
        co_await magpie::wait_for(nap(first), std::chrono::milliseconds(second));
        break;
      case 2:
        note(who, "gathers");
        co_await magpie::gather(nap(first), nap(second), magpie::yield());
        break;
      case 3: {
        const std::size_t other = random() % all_.size();
        note(who, "cancels " + std::to_string(other));
        if (all_[other].cancel()) note(other, "is asked to end");
        break;
      }
      case 4:
        if (who != 0) {
          const auto other = all_[random() % who];  // an older one: no ring
          note(who, "awaits " + other.name());
          co_await magpie::shield(other);
        }
        break;
      default:
        co_await magpie::yield();
    }
  }

  magpie::task<> work(std::size_t who) {
    std::mt19937_64 random(who);  // the same choices whatever the seed
    for (int i = 0; i < 5; ++i) {
      try {
        co_await step(who, random);
        note(who, "goes on");
      } catch (const magpie::timeout_error&) {
        note(who, "is out of time");
      }
    }
  }

  magpie::task<> root() {
    for (std::size_t i = 0; i < count; ++i) {
      all_.push_back(magpie::spawn(work(i), {.name = std::to_string(i)}));
    }
    for (const auto& each : all_) {
      const auto ended = co_await magpie::gather(magpie::return_exceptions, magpie::shield(each));
      note(count, each.cancelled() ? each.name() + " was cancelled" : each.name() + " has ended");
      static_cast<void>(ended);
    }
  }

  std::vector<magpie::task_handle<>> all_;
  std::string log_;
};

TEST(virtual_clock_seeds, repeat_a_thousand_tasks_byte_for_byte) {
  std::set<std::size_t> different;
  const std::uint64_t seeds = magpie::test::throws_slowly ? 10 : 100;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string log = random_program::log_of(seed);
    EXPECT_GT(log.size(), 100'000U);
    ASSERT_EQ(random_program::log_of(seed), log) << "seed " << seed;
    different.insert(std::hash<std::string>()(log));
  }
  EXPECT_GE(different.size() * 10, seeds * 9);
}

}  // namespace
