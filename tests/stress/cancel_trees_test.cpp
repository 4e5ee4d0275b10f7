#include "support/cancel_trees.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <magpie/magpie.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/cancel_nodes.hpp"
#include "support/cancel_plans.hpp"
#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// Random trees of waits, timeouts, shields and semaphores, cancelled at random moments from within
// and from outside. Every task ends, and nothing is left of it.
//
// Each tree can end. A root without a limit waits for nothing long that is outside of a limit
// within. What is left when all roots have ended is cancelled, each task once. So a request that is
// lost, whether a limit's or the last one, leaves a task that never ends.

namespace {

using namespace magpie::test::cancel_trees;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::scaled;

struct batch {
  batch(std::uint64_t first_seed, std::size_t count) : random(first_seed) {
    for (std::size_t i = 0; i < count; ++i) trees.emplace_back(first_seed + i, common);
  }

  generator random;
  surroundings common;
  std::deque<tree> trees;
};

/// In virtual time this thread runs the tasks.
template <class Condition>
[[nodiscard]] bool comes_true(magpie::runtime& on, Condition holds) {
  if (on.worker_count() != 0) return eventually(holds);
  for (int minutes = 0; !holds(); ++minutes) {
    if (minutes == 20) return false;
    on.run_for(std::chrono::minutes(1));
  }
  return true;
}

void let_run(magpie::runtime& on, generator& random) {
  const std::chrono::microseconds time(random() % 50);
  if (on.worker_count() != 0) {
    if (time.count() % 2 == 0) std::this_thread::sleep_for(time);
  } else if (random() % 4 == 0) {
    on.run_for(time);
  } else {
    for (std::size_t steps = random() % 100; steps != 0; --steps) static_cast<void>(on.poll_one());
  }
}

/// For a failure: how to replay it, and the tasks that are left.
std::string state_of(const magpie::runtime& on, const batch& all, const tree& of) {
  std::string text = "MAGPIE_SEED=" + std::to_string(of.seed) +
                     ", in the batch of MAGPIE_SEED=" + std::to_string(all.trees.front().seed);
  for (const auto& each : on.all_tasks()) text += '\n' + each.name() + ": " + each.waiting_for();
  return text;
}

/// Cancels each task that is left and has not been cancelled here before. Returns true if there is
/// none. A task that is just ending may be missing from all_tasks() although it is not done yet.
bool nothing_runs(magpie::runtime& on, batch& all, std::vector<magpie::any_task_handle>& asked) {
  const std::vector<magpie::any_task_handle> left = on.all_tasks();
  for (const auto& each : left) {
    if (std::find(asked.begin(), asked.end(), each) != asked.end()) continue;
    asked.push_back(each);
    each.cancel("the end of the batch");
  }
  return left.empty() && counted::alive() == 0 &&
         std::all_of(all.trees.begin(), all.trees.end(), [](tree& each) { return each.is_done(); });
}

void run_to_the_end(magpie::runtime& on, batch& all) {
  all.common.is_driven = on.worker_count() == 0;
  for (tree& each : all.trees) each.begin(on);
  for (std::size_t left = all.random() % (2 * all.trees.size()); left != 0; --left) {
    let_run(on, all.random);
    tree& victim = all.trees[all.random() % all.trees.size()];
    const std::uint64_t choice = all.random();
    if (victim.mood == temper::wild) victim.cancel_one(choice);
  }
  for (const tree& each : all.trees) {
    ASSERT_TRUE(comes_true(on, [&] { return each.root.done(); })) << state_of(on, all, each);
  }
  all.common.is_stopping = true;
  std::vector<magpie::any_task_handle> asked;
  ASSERT_TRUE(comes_true(on, [&] { return nothing_runs(on, all, asked); }))
      << counted::alive() << " frames, " << state_of(on, all, all.trees.front());
}

void expect_nothing_left(magpie::runtime& on, batch& all) {
  const std::string where = state_of(on, all, all.trees.front());
  for (std::size_t i = 0; i < all.common.semaphores.size(); ++i) {
    const magpie::semaphore& each = all.common.semaphores[i];
    ASSERT_EQ(each.available(), surroundings::permits_of(i)) << where;
    ASSERT_EQ(each.waiting(), 0U) << where;
  }
  for (const tree& each : all.trees) {
    ASSERT_STREQ(each.verdict(), nullptr) << state_of(on, all, each);
  }
}

class cancel_trees_stress : public magpie::test::each_worker_count {
 protected:
  std::unique_ptr<batch> all;  // outlives the tasks, should some be stuck
  magpie::runtime runtime{{.workers = GetParam(), .on_unobserved = nullptr}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(cancel_trees_stress);

TEST_P(cancel_trees_stress, each_tree_ends_and_gives_everything_back) {
  const std::uint64_t first_seed = magpie::test::announced_seed();
  const std::size_t trees = scaled(5e4);
  constexpr std::size_t at_once = 48;
  for (std::size_t i = 0; i < trees && !HasFailure(); i += at_once) {
    all = std::make_unique<batch>(first_seed + i, at_once);
    run_to_the_end(runtime, *all);
    if (!HasFailure()) expect_nothing_left(runtime, *all);
  }
}

TEST(cancel_trees_in_virtual_time, each_tree_ends_and_gives_everything_back) {
  const std::uint64_t first_seed = magpie::test::announced_seed();
  const std::size_t trees = scaled(5e4);
  constexpr std::size_t at_once = 4;
  for (std::size_t i = 0; i < trees && !HasFailure(); i += at_once) {
    batch all(first_seed + i, at_once);
    magpie::runtime runtime({.workers = 0,
                             .time = magpie::virtual_time,
                             .seed = first_seed + i,
                             .on_unobserved = nullptr});
    run_to_the_end(runtime, all);
    if (!HasFailure()) expect_nothing_left(runtime, all);
  }
}

}  // namespace
