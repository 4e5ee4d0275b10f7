#include "scheduler/ready_queue.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <magpie/detail/job.hpp>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>
#include <mutex>
#include <thread>
#include <vector>

#include "support/action.hpp"
#include "support/eventually.hpp"
#include "support/scale.hpp"

namespace {

using magpie::detail::job;
using magpie::detail::ready_queue;
using magpie::detail::worker;
using magpie::test::eventually;
using magpie::test::scaled;

struct item : job {
  item() noexcept : job([](job&, worker&) noexcept {}) {}

  std::size_t producer = 0;
  std::size_t sequence = 0;
  std::atomic<unsigned> taken{0};
};

void push_shared(ready_queue& queue, job& one) {
  job* const items[] = {&one};
  queue.push_shared(items, 1);
}

job* pop(ready_queue& queue, std::size_t lane) {
  job* item = nullptr;
  return queue.pop(lane, &item, 1) == 1 ? item : nullptr;
}

std::size_t pop_shared(ready_queue& queue, job** items, std::size_t most) {
  thread_local std::size_t turn = 0;
  return queue.pop_shared(++turn, items, most);
}

job* pop_shared(ready_queue& queue) {
  job* item = nullptr;
  return pop_shared(queue, &item, 1) == 1 ? item : nullptr;
}

TEST(ready_queue, is_empty_at_first) {
  ready_queue queue{2};
  EXPECT_TRUE(queue.looks_empty());
  EXPECT_EQ(pop(queue, 0), nullptr);
  EXPECT_EQ(pop(queue, 1), nullptr);
  EXPECT_EQ(pop_shared(queue), nullptr);
}

TEST(ready_queue, each_lane_is_first_in_first_out) {
  constexpr std::size_t lanes = 3;
  ready_queue queue{lanes};
  std::deque<item> all(3000);
  for (std::size_t i = 0; i < all.size(); ++i) queue.push(i % lanes, all[i]);
  EXPECT_EQ(pop_shared(queue), nullptr);
  for (std::size_t lane = lanes; lane-- > 0;) {
    for (std::size_t i = lane; i < all.size(); i += lanes) {
      ASSERT_FALSE(queue.looks_empty());
      ASSERT_EQ(pop(queue, lane), &all[i]) << i;
    }
    ASSERT_EQ(pop(queue, lane), nullptr);
  }
  EXPECT_TRUE(queue.looks_empty());
}

TEST(ready_queue, the_shared_lanes_are_apart_from_the_workers) {
  ready_queue queue{1};
  item own;
  item shared;
  queue.push(0, own);
  push_shared(queue, shared);
  EXPECT_EQ(pop_shared(queue), &shared);
  EXPECT_EQ(pop_shared(queue), nullptr);
  EXPECT_FALSE(queue.looks_empty());
  EXPECT_EQ(pop(queue, 0), &own);
  EXPECT_EQ(pop(queue, 0), nullptr);
  EXPECT_TRUE(queue.looks_empty());
}

TEST(ready_queue, the_pushes_of_one_thread_stay_in_order) {
  ready_queue queue{1};
  std::deque<item> all(1000);
  for (item& each : all) push_shared(queue, each);
  for (item& each : all) {
    ASSERT_FALSE(queue.looks_empty());
    ASSERT_EQ(pop_shared(queue), &each);
  }
  EXPECT_EQ(pop_shared(queue), nullptr);
  EXPECT_TRUE(queue.looks_empty());
}

// One item in any lane, and nothing else, must keep a worker from going to sleep.
TEST(ready_queue, does_not_look_empty_while_any_lane_holds_an_item) {
  ready_queue queue{4};
  for (std::size_t lane = 0; lane < 4; ++lane) {
    item one;
    queue.push(lane, one);
    EXPECT_FALSE(queue.looks_empty());
    EXPECT_EQ(pop(queue, lane), &one);
    EXPECT_TRUE(queue.looks_empty());
  }
  for (int thread = 0; thread < 8; ++thread) {  // more than there are shared lanes
    item one;
    std::thread([&] { push_shared(queue, one); }).join();
    EXPECT_FALSE(queue.looks_empty());
    EXPECT_EQ(pop_shared(queue), &one);
    EXPECT_TRUE(queue.looks_empty());
  }
}

TEST(ready_queue, takes_and_gives_several_at_once) {
  ready_queue queue{1};
  std::deque<item> all(100);
  std::vector<job*> pointers;
  for (item& each : all) pointers.push_back(&each);
  queue.push_shared(pointers.data(), pointers.size());
  for (item& each : all) queue.push(0, each);
  const auto pop_all = [&](auto pop_some) {
    std::size_t next = 0;
    for (const std::size_t most : {1U, 64U, 7U, 64U}) {
      std::array<job*, 64> got{};
      const std::size_t count = pop_some(got.data(), most);
      EXPECT_EQ(count, std::min<std::size_t>(most, all.size() - next));
      for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(got[i], &all[next++]);
    }
    EXPECT_EQ(next, all.size());
  };
  pop_all([&](job** items, std::size_t most) { return queue.pop(0, items, most); });
  EXPECT_TRUE(queue.looks_empty(0));
  EXPECT_FALSE(queue.shared_look_empty());
  pop_all([&](job** items, std::size_t most) { return pop_shared(queue, items, most); });
  EXPECT_TRUE(queue.looks_empty());
}

TEST(ready_queue, a_flooding_thread_does_not_starve_another) {
  ready_queue queue{1};
  // A thread's first push gives it its shared lane, one after the other: these two differ.
  std::deque<item> flood(1000);
  std::thread([&] {
    for (item& each : flood) push_shared(queue, each);
  }).join();
  item other;
  std::thread([&] { push_shared(queue, other); }).join();
  unsigned pops = 1;
  while (pop_shared(queue) != &other) ASSERT_LT(pops++, 10U);
}

TEST(ready_queue, no_flood_makes_a_timer_late) {
  ready_queue queue{1};
  std::deque<item> flood(1000);
  for (std::size_t i = 0; i < 8; ++i) {
    std::thread([&] {
      for (std::size_t k = i; k < flood.size(); k += 8) push_shared(queue, flood[k]);
    }).join();
  }
  for (int round = 0; round < 10; ++round) {
    item of_timer;
    queue.push_of_timer(of_timer);
    ASSERT_TRUE(pop_shared(queue) == &of_timer || pop_shared(queue) == &of_timer);
  }
}

TEST(ready_queue, no_flood_of_timers_starves_another_thread) {
  ready_queue queue{1};
  std::deque<item> flood(1000);
  for (item& each : flood) queue.push_of_timer(each);
  for (int round = 0; round < 10; ++round) {
    item other;
    std::thread([&] { push_shared(queue, other); }).join();
    ASSERT_TRUE(pop_shared(queue) == &other || pop_shared(queue) == &other);
  }
}

// Without memory. The queue asks malloc, so all of the process's memory has to be used up, in a
// process of its own. Sanitizers bring their own malloc.

#if !MAGPIE_ADDRESS_SANITIZER && !MAGPIE_THREAD_SANITIZER

/// From now on every malloc of this process fails that the queue makes.
void use_up_memory() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t now = static_cast<rlim_t>(pages) * 4096;
  const rlimit limit{now, now};
  if (::setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(2);
  for (std::size_t size = std::size_t{1} << 24; size >= 32; size /= 2) {
    while (void* volatile block = std::malloc(size)) static_cast<void>(block);
  }
}

/// Whether each of them was given away once, by `pop_some(items, most)`.
template <class Pop>
bool all_come_out(std::deque<item>& all, Pop pop_some) {
  std::array<job*, 7> got{};
  while (const std::size_t count = pop_some(got.data(), got.size())) {
    for (std::size_t i = 0; i < count; ++i) ++static_cast<item*>(got[i])->taken;
  }
  for (const item& each : all) {
    if (each.taken != 1) return false;
  }
  return true;
}

TEST(ready_queue, loses_nothing_for_lack_of_memory) {
  ready_queue queue{1};
  std::deque<item> own(1000);
  std::deque<item> shared(1000);
  std::vector<job*> pointers;
  for (item& each : shared) pointers.push_back(&each);
  const auto run = [&] {
    use_up_memory();
    for (item& each : own) queue.push(0, each);
    if (queue.shared_look_empty()) std::_Exit(3);  // nothing had to go there
    for (std::size_t i = 0; i < pointers.size(); i += 50) {
      queue.push_shared(&pointers[i], 50);
    }
    const auto pop_some = [&](job** items, std::size_t most) {
      const std::size_t count = pop_shared(queue, items, most);
      return count != 0 ? count : queue.pop(0, items, most);
    };
    const bool all = all_come_out(own, pop_some) && all_come_out(shared, pop_some);
    std::_Exit(all && queue.looks_empty() ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST(ready_queue, wakes_and_submissions_do_not_depend_on_memory) {
  const auto run = [] {
    using magpie::test::action;
    std::deque<action> ready(5000);
    std::deque<action> submitted(5000);
    action owner{[&](worker& here) {
      for (action& each : ready) here.make_ready(each);
    }};
    magpie::detail::scheduler home{{.workers = 2}};
    use_up_memory();
    home.submit(owner);
    for (action& each : submitted) home.submit(each);
    const bool all = magpie::test::all_have_run(ready) && magpie::test::all_have_run(submitted) &&
                     magpie::test::not_run_once(ready) == 0;
    std::_Exit(all ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

#endif

// Producers against consumers; each consumer checks that what it gets from one producer is in
// order, which holds because a thread always uses the same lane.
class traffic {
 public:
  static constexpr std::size_t worker_lanes = 2;

  explicit traffic(std::size_t producers) : producers_(producers) {}

  // Runs `produce(queue)` here while the consumers take `expected` items away.
  template <class Produce>
  void run(std::size_t expected, Produce produce) {
    std::vector<std::thread> consumers;
    consumers.reserve(2);
    for (std::size_t i = 0; i < 2; ++i) consumers.emplace_back([this, i] { consume(i); });
    produce(queue_);
    EXPECT_TRUE(eventually([&] { return taken_.load(std::memory_order_relaxed) >= expected; }));
    finished_.store(true, std::memory_order_release);
    for (std::thread& each : consumers) each.join();
    EXPECT_EQ(taken_.load(), expected);
    EXPECT_TRUE(queue_.looks_empty());
    for (std::size_t lane = 0; lane < worker_lanes; ++lane) EXPECT_EQ(pop(queue_, lane), nullptr);
    EXPECT_EQ(pop_shared(queue_), nullptr);
  }

 private:
  void consume(std::size_t turn) {
    std::vector<std::size_t> next(producers_, 0);
    while (!finished_.load(std::memory_order_acquire)) {
      job* const got = ++turn % 3 == 0 ? pop(queue_, turn % worker_lanes) : pop_shared(queue_);
      if (got == nullptr) {
        // Nothing seen is no proof of nothing there, and looking empty is none of the contrary.
        if (queue_.looks_empty()) std::this_thread::yield();
        continue;
      }
      auto& one = static_cast<item&>(*got);
      if (one.taken.fetch_add(1, std::memory_order_relaxed) != 0) ADD_FAILURE() << "taken twice";
      if (one.sequence < next[one.producer]) ADD_FAILURE() << "out of order";
      next[one.producer] = one.sequence + 1;
      taken_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  const std::size_t producers_;
  ready_queue queue_{worker_lanes};
  std::atomic<std::size_t> taken_{0};
  std::atomic<bool> finished_{false};
};

TEST(ready_queue, loses_nothing_from_foreign_threads_and_workers) {
  constexpr std::size_t foreign = 4;
  constexpr std::size_t producers = foreign + traffic::worker_lanes;
  constexpr std::size_t rounds = 10;
  const std::size_t items = scaled(1e7) / rounds / foreign;
  for (std::size_t round = 0; round < rounds && !HasFailure(); ++round) {
    std::vector<std::vector<item>> all;
    all.reserve(producers);
    for (std::size_t i = 0; i < producers; ++i) all.emplace_back(items);
    traffic{producers}.run(items * producers, [&](ready_queue& queue) {
      std::vector<std::thread> threads;
      threads.reserve(producers);
      for (std::size_t producer = 0; producer < producers; ++producer) {
        threads.emplace_back([&, producer] {
          for (std::size_t i = 0; i < items; ++i) {
            item& one = all[producer][i];
            one.producer = producer;
            one.sequence = i;
            if (producer < foreign) {
              push_shared(queue, one);
            } else {
              queue.push(producer - foreign, one);
            }
          }
        });
      }
      for (std::thread& each : threads) each.join();
    });
  }
}

TEST(ready_queue, loses_nothing_from_short_lived_threads) {
  constexpr std::size_t items = 10;
  const std::size_t threads = scaled(1e4);
  std::vector<std::vector<item>> all;
  all.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) all.emplace_back(items);
  traffic{threads}.run(items * threads, [&](ready_queue& queue) {
    std::vector<std::thread> running(8);
    for (std::size_t i = 0; i < threads; ++i) {
      std::thread& thread = running[i % running.size()];
      if (thread.joinable()) thread.join();
      thread = std::thread([&queue, &mine = all[i], i] {
        for (std::size_t k = 0; k < items; ++k) {
          mine[k].producer = i;
          mine[k].sequence = k;
          push_shared(queue, mine[k]);
        }
      });
    }
    for (std::thread& each : running) {
      if (each.joinable()) each.join();
    }
  });
}

}  // namespace
