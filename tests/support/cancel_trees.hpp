#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <magpie/magpie.hpp>
#include <mutex>
#include <string>
#include <vector>

#include "support/cancel_plans.hpp"
#include "support/counted.hpp"

// A plan as tasks, and what is checked of them. cancel_nodes.hpp has their bodies.

namespace magpie::test::cancel_trees {

/// What a node throws that fails, or whose limit has passed. Node 0 is the whole tree.
struct failure : std::exception {
  failure(std::uint64_t of, number node) : seed(of), id(node) {}

  std::uint64_t seed;
  number id;
};

/// What the trees of a batch have in common.
struct surroundings {
  [[nodiscard]] static std::size_t permits_of(std::size_t index) { return 1 + 2 * index; }

  // The last is for quiet trees alone: others may hold permits for long.
  std::array<semaphore, 4> semaphores{semaphore(1), semaphore(3), semaphore(5), semaphore(7)};
  std::atomic<bool> is_stopping{false};  // the last requests are being made
  bool is_driven = false;                // one thread runs everything
};

class tree {
 public:
  tree(std::uint64_t from, surroundings& around) : seed(from), common(around) {
    generator random(seed);
    constexpr std::array moods{temper::quiet, temper::bounded, temper::patient, temper::wild,
                               temper::wild};
    mood = moods[random() % moods.size()];
    limit = std::chrono::microseconds(500 + random() % 4000);
    whole = planter(random, mood).grow(3 + random() % 4);
  }

  void begin(runtime& on);
  [[nodiscard]] task_handle<number> spawn(const plan& node);
  [[nodiscard]] task_handle<number> one_of(std::uint64_t choice) {
    const std::lock_guard lock(mutex_);
    return spawned_[choice % spawned_.size()].handle;
  }
  void cancel_one(std::uint64_t choice) {
    const task_handle<number> victim = one_of(choice);
    if (!victim.cancel("by another")) check(victim.done(), "cancel() refused before the end");
  }

  [[nodiscard]] bool is_done() {
    const std::lock_guard lock(mutex_);
    return std::all_of(spawned_.begin(), spawned_.end(),
                       [](const entry& each) { return each.handle.done(); });
  }

  /// Each request could be the last. A task that has swallowed it must not begin a long wait; nor
  /// must others of the tree, for which that task may wait.
  void note_swallowed() {
    if (common.is_stopping || now() >= deadline) has_given_up = true;
  }
  /// The first check that does not hold is reported.
  void check(bool holds, const char* what) {
    const char* none = nullptr;
    if (!holds) wrong_.compare_exchange_strong(none, what);
  }
  /// After the end of all tasks: what is wrong, or null.
  [[nodiscard]] const char* verdict() const;

  const std::uint64_t seed;
  surroundings& common;
  temper mood;
  duration limit;
  plan whole;
  task_handle<number> root;
  time_point deadline = time_point::max();  // of the limit, once that has begun
  std::atomic<bool> has_given_up{false};
  std::atomic<unsigned> own_requests{0};  // made by tasks to themselves
  std::atomic<bool> has_uncancelled{false};
  std::atomic<bool> may_have_rings{false};  // of tasks that await each other

 private:
  struct entry {
    task_handle<number> handle;
    const plan* node;
  };

  [[nodiscard]] const char* verdict_on(const entry& ended) const;

  std::mutex mutex_;
  std::deque<entry> spawned_;
  std::atomic<const char*> wrong_{nullptr};
};

/// The task of a node.
task<number> run(tree& in, const plan& node, counted = counted());

/// The task of the root.
task<number> run_whole(tree& in, counted = counted());

inline void tree::begin(runtime& on) {
  const std::lock_guard lock(mutex_);
  root = on.spawn(run_whole(*this), {.name = std::to_string(seed)});
  spawned_.push_back({root, &whole});
}

inline task_handle<number> tree::spawn(const plan& node) {
  const std::string name = std::to_string(seed) + " " + word_for(node.what);
  task_handle<number> made = magpie::spawn(run(*this, node), {.name = name});
  const std::lock_guard lock(mutex_);
  spawned_.push_back({made, &node});
  return made;
}

inline const char* tree::verdict_on(const entry& ended) const {
  const bool is_known = mood == temper::quiet && ended.handle == root;
  const ending expected = is_known ? predict(whole) : ending();
  try {
    const number value = ended.handle.result();
    if (is_known && value != expected.value) return "another value";
    const bool may_be = ended.handle.cancelling() == 0 || ended.node->may_swallow;
    return may_be ? nullptr : "a result in spite of a request";
  } catch (const failure& found) {
    const bool may_be = is_known ? expected.failures.contains(found.id)
                                 : found.id == 0 || may_fail(whole, found.id);
    return found.seed == seed && may_be ? nullptr : "another failure";
  } catch (const cancelled&) {
    const bool may_be = mood == temper::wild || ended.handle != root;
    return may_be ? nullptr : "a tree cancelled by nobody";
  } catch (...) {
    return "an exception of another kind";
  }
}

inline const char* tree::verdict() const {
  const char* wrong = wrong_;
  for (const entry& each : spawned_) wrong = wrong == nullptr ? verdict_on(each) : wrong;
  return wrong;
}

}  // namespace magpie::test::cancel_trees
