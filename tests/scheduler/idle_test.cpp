#include "scheduler/idle.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <magpie/detail/asymmetric_fence.hpp>
#include <magpie/detail/futex.hpp>
#include <magpie/detail/idle_word.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

namespace {

namespace idle_word = magpie::detail::idle_word;
using magpie::detail::asymmetric_fence;
using magpie::detail::basic_idle;
using magpie::detail::parker;
using magpie::test::announced_seed;
using magpie::test::eventually;
using magpie::test::scaled;

TEST(idle_word, wants_waking_when_some_sleep_and_nobody_searches) {
  using namespace idle_word;
  EXPECT_FALSE(wants_waking(0));
  EXPECT_TRUE(wants_waking(one_sleeping));
  EXPECT_TRUE(wants_waking(64 * one_sleeping));
  EXPECT_TRUE(wants_waking((one_searching - 1) * one_sleeping));
  EXPECT_FALSE(wants_waking(one_searching));
  EXPECT_FALSE(wants_waking(one_searching + one_sleeping));
  EXPECT_FALSE(wants_waking(64 * one_searching + 64 * one_sleeping));
}

TEST(idle_word, tells_both_counts) {
  using namespace idle_word;
  for (const std::int64_t searchers : {0, 1, 2, 64}) {
    for (const std::int64_t sleepers : {0, 1, 2, 64}) {
      const std::int64_t word = searchers * one_searching + sleepers * one_sleeping;
      EXPECT_EQ(searching(word), searchers) << sleepers;
      EXPECT_EQ(sleeping(word), sleepers) << searchers;
    }
  }
}

constexpr auto no_work = [] { return false; };
constexpr auto some_work = [] { return true; };

// Returns from park() at once, so that one thread can play all workers.
struct absent_parker {
  void park() noexcept { ++parks; }
  void unpark() noexcept { ++unparks; }

  inline static int parks = 0;
  inline static int unparks = 0;
};

class idle : public testing::Test {
 protected:
  idle() { absent_parker::parks = absent_parker::unparks = 0; }

  void fall_asleep(std::size_t worker) {
    workers_.start_search();
    workers_.park(worker, no_work);
  }

  [[nodiscard]] std::int64_t sleeping() const {
    return idle_word::sleeping(workers_.word().load());
  }
  [[nodiscard]] std::int64_t searching() const {
    return idle_word::searching(workers_.word().load());
  }

  basic_idle<absent_parker> workers_{64};
};

TEST_F(idle, a_publication_wakes_nobody_when_nobody_sleeps) {
  workers_.notify();
  EXPECT_EQ(absent_parker::unparks, 0);
  EXPECT_EQ(workers_.word().load(), 0);
}

TEST_F(idle, a_publication_wakes_one_and_makes_it_a_searcher) {
  fall_asleep(0);
  fall_asleep(1);
  EXPECT_EQ(sleeping(), 2);
  EXPECT_EQ(searching(), 0);
  workers_.notify();
  EXPECT_EQ(absent_parker::unparks, 1);
  EXPECT_EQ(sleeping(), 1);
  EXPECT_EQ(searching(), 1);
}

TEST_F(idle, many_publications_wake_one_until_it_has_found_a_job) {
  for (std::size_t i = 0; i < 64; ++i) fall_asleep(i);
  for (int i = 0; i < 100; ++i) workers_.notify();
  EXPECT_EQ(absent_parker::unparks, 1);
  workers_.end_search(some_work);
  EXPECT_EQ(absent_parker::unparks, 2);
  EXPECT_EQ(sleeping(), 62);
  EXPECT_EQ(searching(), 1);
}

TEST_F(idle, whoever_finds_the_last_job_wakes_nobody) {
  fall_asleep(0);
  workers_.start_search();
  workers_.end_search(no_work);
  EXPECT_EQ(absent_parker::unparks, 0);
  EXPECT_EQ(sleeping(), 1);
}

TEST_F(idle, only_the_last_searcher_wakes_the_next) {
  fall_asleep(0);
  workers_.start_search();
  workers_.start_search();
  workers_.end_search(some_work);
  EXPECT_EQ(absent_parker::unparks, 0);
  workers_.end_search(some_work);
  EXPECT_EQ(absent_parker::unparks, 1);
}

TEST_F(idle, nobody_is_woken_when_a_searcher_has_come_meanwhile) {
  fall_asleep(0);
  workers_.start_search();
  workers_.end_search([&] {
    workers_.start_search();
    return true;
  });
  EXPECT_EQ(absent_parker::unparks, 0);
  EXPECT_EQ(sleeping(), 1);
  EXPECT_EQ(searching(), 1);
}

TEST_F(idle, who_sees_work_at_the_last_moment_does_not_sleep) {
  workers_.start_search();
  workers_.park(0, some_work);
  EXPECT_EQ(absent_parker::parks, 0);
  EXPECT_EQ(sleeping(), 0);
  EXPECT_EQ(searching(), 1);
  workers_.end_search(no_work);
  EXPECT_EQ(workers_.word().load(), 0);
}

TEST_F(idle, a_wake_up_between_going_to_sleep_and_sleeping_is_taken) {
  fall_asleep(7);
  workers_.start_search();
  workers_.park(0, [&] {
    workers_.notify();  // finds worker 0 the last to fall asleep
    return true;
  });
  EXPECT_EQ(absent_parker::unparks, 1);
  EXPECT_EQ(absent_parker::parks, 2)
      << "the permit must be taken, or the next park returns at once";
  EXPECT_EQ(sleeping(), 1);
  EXPECT_EQ(searching(), 1);
}

TEST_F(idle, withdrawing_leaves_the_others_asleep) {
  fall_asleep(0);
  fall_asleep(1);
  workers_.start_search();
  workers_.park(2, some_work);
  workers_.end_search(no_work);
  EXPECT_EQ(sleeping(), 2);
  workers_.notify();
  workers_.end_search(some_work);
  EXPECT_EQ(absent_parker::unparks, 2);
  EXPECT_EQ(sleeping(), 0);
}

TEST_F(idle, stop_wakes_everybody_and_keeps_them_awake) {
  for (std::size_t i = 0; i < 5; ++i) fall_asleep(i);
  workers_.stop();
  EXPECT_EQ(absent_parker::unparks, 5);
  EXPECT_EQ(sleeping(), 0);
  EXPECT_EQ(searching(), 5);
  const int parks = absent_parker::parks;
  workers_.park(0, no_work);
  EXPECT_EQ(absent_parker::parks, parks);
  EXPECT_EQ(sleeping(), 0);
  EXPECT_EQ(searching(), 5);
}

// Really sleeps, for ever if nobody comes: a time limit would hide a lost wake-up.
struct counted_parker : parker {
  void park() noexcept {
    parks.fetch_add(1, std::memory_order_relaxed);
    parker::park();
  }
  void unpark() noexcept {
    unparks.fetch_add(1, std::memory_order_relaxed);
    parker::unpark();
  }

  inline static std::atomic<std::size_t> parks{0};
  inline static std::atomic<std::size_t> unparks{0};
};

// Threads that park, and a lane for each producer that publishes as weakly as the real ones do.
class crew {
 public:
  struct lane {
    [[nodiscard]] bool has_work() const { return taken.load() < pushed.load(); }

    alignas(64) std::atomic<std::size_t> pushed{0};
    alignas(64) std::atomic<std::size_t> taken{0};
  };

  crew(std::size_t workers, std::size_t producers, std::function<void()> work)
      : idle_{workers}, work_{std::move(work)} {
    asymmetric_fence::initialise();
    counted_parker::parks = counted_parker::unparks = 0;
    lanes_.resize(producers);
    for (std::size_t i = 0; i < workers; ++i) threads_.emplace_back([this, i] { loop(i); });
  }

  ~crew() {
    stopping_.store(true, std::memory_order_release);
    idle_.stop();
    for (std::thread& each : threads_) each.join();
    EXPECT_EQ(idle_.word().load(), 0);
  }

  void publish(std::size_t producer, std::size_t jobs = 1) {
    // With the word at hand, the look at it could well overtake the publication.
    (void)idle_.word().load(std::memory_order_relaxed);
    lanes_[producer].pushed.store(lanes_[producer].pushed.load(std::memory_order_relaxed) + jobs,
                                  std::memory_order_release);
    idle_.notify();
  }

  [[nodiscard]] bool waits_until_taken(std::size_t producer) {
    // Looks closely at first, for the way to sleep that begins now takes but some 100 ns.
    for (int look = 0; look < 1000 && lanes_[producer].has_work(); ++look) {
    }
    return eventually([&] { return !lanes_[producer].has_work(); });
  }

  [[nodiscard]] bool waits_until_all_sleep() {
    return eventually(
        [&] { return idle_word::sleeping(idle_.word().load()) == std::ssize(threads_); });
  }

 private:
  void loop(std::size_t index) {
    const auto has_work = [this] {
      for (const lane& each : lanes_) {
        if (each.has_work()) return true;
      }
      return false;
    };
    for (;;) {
      if (!take()) {
        idle_.start_search();
        while (!take()) {
          if (stopping_.load(std::memory_order_acquire) && !has_work()) {
            idle_.end_search(has_work);
            return;
          }
          idle_.park(index, has_work);
        }
        idle_.end_search(has_work);
      }
      work_();
    }
  }

  bool take() {
    for (lane& each : lanes_) {
      std::size_t taken = each.taken.load();
      while (taken < each.pushed.load(std::memory_order_acquire)) {
        if (each.taken.compare_exchange_weak(taken, taken + 1)) return true;
      }
    }
    return false;
  }

  basic_idle<counted_parker> idle_;
  std::function<void()> work_;
  std::deque<lane> lanes_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

TEST(idle_live, no_wake_up_is_lost) {
  const std::uint64_t seed = announced_seed();
  struct {
    std::size_t workers, producers;
  } const constellations[] = {{1, 1}, {2, 1}, {1, 3}, {2, 3}, {8, 2}};
  const std::size_t rounds = scaled(1e6) / std::size(constellations);
  std::size_t parks = 0;
  for (const auto& [workers, producers] : constellations) {
    SCOPED_TRACE("MAGPIE_SEED=" + std::to_string(seed) + ", " + std::to_string(workers) +
                 " workers, " + std::to_string(producers) + " producers");
    crew sleepers{workers, producers, [] {}};
    std::vector<std::thread> threads;
    threads.reserve(producers);
    for (std::size_t producer = 0; producer < producers; ++producer) {
      threads.emplace_back([&, producer, producer_count = producers] {
        std::mt19937_64 random{seed + producer};
        for (std::size_t i = 0; i < rounds / producer_count; ++i) {
          sleepers.publish(producer);
          if (!sleepers.waits_until_taken(producer)) {
            ADD_FAILURE() << "a job lies there while all workers sleep";
            return;
          }
          // The next one comes at any point of the worker's way to sleep.
          for (std::uint64_t turns = random() % (1U << random() % 12); turns > 0; --turns) {
            std::atomic_signal_fence(std::memory_order_seq_cst);
          }
        }
      });
    }
    for (std::thread& each : threads) each.join();
    if (HasFailure()) return;
    parks += counted_parker::parks;
  }
  EXPECT_GT(parks, rounds);
}

TEST(idle_live, one_publication_wakes_at_most_two_of_many) {
  crew sleepers{64, 1, [] {}};
  ASSERT_TRUE(sleepers.waits_until_all_sleep());
  for (std::size_t i = 0; i < scaled(1e4); ++i) {
    const std::size_t before = counted_parker::unparks;
    sleepers.publish(0);
    ASSERT_TRUE(sleepers.waits_until_taken(0));
    ASSERT_TRUE(sleepers.waits_until_all_sleep());
    ASSERT_LE(counted_parker::unparks - before, 2U);
  }
}

// Each of the 64 jobs waits for all the others, so one worker too few and none would end.
TEST(idle_live, much_work_wakes_all_in_a_chain) {
  constexpr std::size_t workers = 64;
  std::atomic<std::size_t> at_work{0};
  std::atomic<std::size_t> target{workers};
  crew sleepers{workers, 1, [&] {
                  const std::size_t mine = target.load();
                  at_work.fetch_add(1);
                  EXPECT_TRUE(eventually([&] { return at_work.load() >= mine; }));
                }};
  for (int round = 0; round < 10; ++round) {
    ASSERT_TRUE(sleepers.waits_until_all_sleep());
    sleepers.publish(0, workers);
    ASSERT_TRUE(eventually([&] { return at_work.load() == target.load(); }));
    ASSERT_TRUE(sleepers.waits_until_all_sleep());
    target.fetch_add(workers);
  }
}

TEST(idle_live, stop_wakes_all_that_sleep) {
  for (std::size_t i = 0; i < scaled(1e4); ++i) {
    crew sleepers{8, 1, [] {}};
    if (i % 2 == 0) {
      ASSERT_TRUE(sleepers.waits_until_all_sleep());
    }
  }
}

}  // namespace
