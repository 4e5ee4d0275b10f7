#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/errors.hpp>
#include <magpie/magpie.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "support/eventually.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// A task ends while it is being cancelled: exactly one of the two wins, and cancel() tells which.
// That says something only if both do win, and in turns: so each race is timed by how those before
// it went.

namespace {

using magpie::test::eventually;
using magpie::test::scaled;

void spin(long steps) {
  for (long i = 0; i < steps; ++i) asm volatile("");
}

/// How long the canceller waits when it has seen the task begin, or, below zero, how much more the
/// task does: whoever has lost gets more time, the more the longer it goes on losing.
class adaptive_jitter {
 public:
  [[nodiscard]] long canceller_waits() const {
    return std::max(balance_.load(std::memory_order_relaxed), 0L);
  }
  [[nodiscard]] long task_waits() const {
    return std::max(-balance_.load(std::memory_order_relaxed), 0L);
  }

  void note(bool was_cancelled) {
    const bool alternates = races_ != 0 && was_cancelled != last_was_cancelled_;
    step_ = alternates ? std::max(step_ / 2, 8L) : std::min(step_ * 2, most_at_once);
    const long balance = balance_.load(std::memory_order_relaxed);
    balance_.store(balance + (was_cancelled ? step_ : -step_), std::memory_order_relaxed);
    ++races_;
    cancelled_ += was_cancelled ? 1 : 0;
    alternations_ += alternates ? 1 : 0;
    last_was_cancelled_ = was_cancelled;
  }

  void expect_that_both_win() const {
    constexpr double least = 0.3;
    const auto all = static_cast<double>(races_);
    EXPECT_GE(static_cast<double>(cancelled_) / all, least) << all << " races";
    EXPECT_GE(static_cast<double>(races_ - cancelled_) / all, least) << all << " races";
    EXPECT_GE(static_cast<double>(alternations_) / all, least) << all << " races";
  }

 private:
  // Far more than the time of one race varies by, where all is instrumented.
  static constexpr long most_at_once = 65'536;

  std::atomic<long> balance_{0};  // written by the canceller, read by the tasks: a hint
  long step_ = 64;
  std::size_t races_ = 0;
  std::size_t cancelled_ = 0;
  std::size_t alternations_ = 0;
  bool last_was_cancelled_ = false;
};

/// How a task comes to its end. The same for all of a batch, so that they end in some order.
enum class manner : std::size_t { computes, yields, awaits_handle };
constexpr std::size_t manners = 3;

/// Tasks that end one after the other, and somebody who races with each that has not ended by then.
class races {
 public:
  explicit races(double full) : left_(scaled(full)) {}

  /// There are races left to do.
  [[nodiscard]] bool go_on() const { return left_ != 0 && wrong_ == 0; }

  void spawn_tasks(magpie::runtime& where) {
    how_ = (how_ + 1) % manners;
    std::vector<magpie::task<std::size_t>> bodies;
    for (std::size_t i = 0; i < count; ++i) {
      began_[i].store(false, std::memory_order_relaxed);
      told_[i] = answer::not_asked;
      bodies.push_back(racer(i, static_cast<manner>(how_)));
    }
    handles_ = where.spawn_many(std::move(bodies));
    next_ = 0;
    are_there_.store(true, std::memory_order_release);
  }

  [[nodiscard]] bool are_there() const { return are_there_.load(std::memory_order_acquire); }

  enum class result { waits, all_done };

  /// Races with the tasks that begin from now on; `waits` when none has begun for a while.
  result run() {
    for (; next_ < count && left_ != 0; ++next_) {
      if (began_[next_].load(std::memory_order_acquire)) continue;  // too late for a fair race
      int patience = 20'000;
      while (!began_[next_].load(std::memory_order_acquire)) {
        if (--patience == 0) return result::waits;
      }
      adaptive_jitter& jitter = jitters_[how_];
      spin(jitter.canceller_waits());
      const bool told = handles_[next_].cancel();
      told_[next_] = told ? answer::yes : answer::no;
      jitter.note(told);
      --left_;
    }
    return result::all_done;
  }

  void expect_the_outcomes_that_were_told() {
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(eventually([&] { return handles_[i].done(); }));
      if (!is_right(i)) ++wrong_;
    }
    ASSERT_EQ(wrong_, 0U);
    are_there_.store(false, std::memory_order_relaxed);
  }

  void expect_that_both_win() const {
    for (const adaptive_jitter& each : jitters_) each.expect_that_both_win();
  }

 private:
  static constexpr std::size_t count = 1024;

  enum class answer : std::uint8_t { not_asked, no, yes };

  magpie::task<std::size_t> racer(std::size_t index, manner how) {
    switch (how) {
      case manner::computes:
        compute(index);
        break;
      case manner::yields:
        co_await magpie::yield();
        compute(index);
        break;
      case manner::awaits_handle: {
        const std::size_t same = co_await magpie::spawn(compute_in_task(index));
        EXPECT_EQ(same, index);
        break;
      }
    }
    co_return index;
  }

  magpie::task<std::size_t> compute_in_task(std::size_t index) {
    compute(index);
    co_return index;
  }

  void compute(std::size_t index) {
    constexpr long least = 200;
    began_[index].store(true, std::memory_order_release);
    spin(least + jitters_[how_].task_waits());
  }

  [[nodiscard]] bool is_right(std::size_t index) const {
    const auto& handle = handles_[index];
    const bool told = told_[index] == answer::yes;
    if (handle.cancelled() != told || handle.cancelling() != (told ? 1U : 0U)) return false;
    return told || handle.result() == index;
  }

  std::array<adaptive_jitter, manners> jitters_;
  std::size_t how_ = 0;                           // the manner of the tasks there are
  std::array<std::atomic<bool>, count> began_{};  // set by each task
  std::atomic<bool> are_there_{false};            // handles_ is filled

  // Used by one thread after the other.
  std::vector<magpie::task_handle<std::size_t>> handles_;
  std::array<answer, count> told_{};
  std::size_t next_ = 0;
  std::size_t left_;
  std::size_t wrong_ = 0;
};

class completion : public magpie::test::each_worker_count {};
MAGPIE_FOR_EACH_WORKER_COUNT(completion);

TEST_P(completion, and_a_request_of_a_foreign_thread_have_one_winner) {
  magpie::runtime runtime{{.workers = GetParam()}};
  // Two threads race on two processors. More of them take turns, and who wins is decided by whose
  // turn it is: then it is only seen that the outcome is the one that was told.
  const bool is_fair = GetParam() == 1;
  races all(is_fair ? 1e7 : 1e6);
  while (all.go_on() && !HasFatalFailure()) {
    all.spawn_tasks(runtime);
    while (all.run() == races::result::waits) std::this_thread::yield();
    all.expect_the_outcomes_that_were_told();
  }
  if (is_fair) all.expect_that_both_win();
}

TEST(completion_on_two_workers, and_a_request_of_another_task_have_one_winner) {
  magpie::runtime runtime{{.workers = 2}};
  races all(1e6);
  const auto cancel_them = [&]() -> magpie::task<> {
    while (!all.are_there()) co_await magpie::yield();
    while (all.run() == races::result::waits) co_await magpie::yield();
  };
  while (all.go_on() && !HasFatalFailure()) {
    const auto canceller = runtime.spawn(cancel_them());
    all.spawn_tasks(runtime);
    ASSERT_TRUE(eventually([&] { return canceller.done(); }));
    all.expect_the_outcomes_that_were_told();
  }
}

}  // namespace
