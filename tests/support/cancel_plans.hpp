#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <magpie/clock.hpp>
#include <random>
#include <set>
#include <vector>

// Plans of random trees of waits: what each node does, and with what a tree may end.

namespace magpie::test::cancel_trees {

using generator = std::mt19937_64;
using number = std::uint64_t;

inline constexpr std::chrono::hours very_long(1000);

/// Which requests come to a tree, from least to most, and what ends its long waits.
enum class temper : std::size_t {
  quiet,    // none: it has no long waits
  bounded,  // those of its limits: each long wait is within a short one
  patient,  // those of its limits and of one around the whole
  wild      // those of tasks and other threads too
};

enum class kind : std::size_t {
  // Without parts. Quiet trees have the first four, wild ones all, the others the first five.
  nap,
  yields,
  checkpoints,
  fails,
  long_sleep,
  cancels_other,
  cancels_itself,
  awaits_other,
  // Of one part.
  acquire,         // holds permits over the part
  limited,         // wait_for the part
  limited_handle,  // wait_for the spawned part
  rescheduled,     // with_timeout, while another branch moves the deadline
  limited_shield,  // wait_for of a shield of the spawned part
  shielded,        // shield of the spawned part
  swallows,        // swallows `cancelled` and cleans up; then it returns or passes it on
  // Of several parts.
  sequence,
  gather,
  outcomes,  // gather with return_exceptions
  gather_handles,
  handle_outcomes
};

inline const char* word_for(kind what) {
  constexpr std::array words{"nap",
                             "yields",
                             "checkpoints",
                             "fails",
                             "long sleep",
                             "cancels other",
                             "cancels itself",
                             "awaits other",
                             "acquire",
                             "limited",
                             "limited handle",
                             "rescheduled",
                             "limited shield",
                             "shielded",
                             "swallows",
                             "sequence",
                             "gather",
                             "outcomes",
                             "gather handles",
                             "handle outcomes"};
  return words[static_cast<std::size_t>(what)];
}

inline bool has_limit(kind what) { return what >= kind::limited && what <= kind::limited_shield; }

struct plan {
  kind what = kind::nap;
  number id = 0;
  std::size_t count = 0;     // how often, or in which way
  std::uint64_t choice = 0;  // which task, which semaphore, how many permits
  duration time{0};
  duration limit{0};
  bool has_handles = false;  // awaits tasks, which others may cancel
  bool has_limits = false;
  bool may_swallow = false;  // may have a result in spite of a request to it
  std::vector<plan> parts;
};

class planter {
 public:
  planter(generator& random, temper mood) : random_(random), mood_(mood) {}

  plan grow(std::size_t depth) {
    const bool is_bounded = mood_ == temper::bounded;
    return grow(depth, {.long_waits = mood_ > temper::bounded, .acquires = !is_bounded});
  }

 private:
  /// What may be below a node.
  struct permission {
    bool long_waits;
    bool acquires;
    bool swallows = true;
  };

  [[nodiscard]] plan grow(std::size_t depth, permission may) {
    plan node;
    node.what = depth > 1 && nodes_left_ > 0 ? random_inner(may) : random_leaf(may);
    node.id = ++last_id_;
    node.count = random_() % 4;
    node.choice = random_();
    node.time = std::chrono::microseconds(random_() % 4 == 0 ? 0 : random_() % 200);
    node.limit = mood_ == temper::quiet ? very_long : limit_of(node);
    node.has_handles = node.what == kind::awaits_other || node.what == kind::limited_handle ||
                       node.what == kind::limited_shield || node.what == kind::shielded ||
                       node.what >= kind::gather_handles;
    node.may_swallow = (node.what == kind::cancels_itself && node.count >= 2) ||
                       node.what == kind::awaits_other || node.what == kind::swallows;
    node.has_limits = has_limit(node.what) || node.what == kind::awaits_other;
    const permission within = may_be_within(node, may);
    for (std::size_t left = part_count(node.what); left != 0; --left) {
      if (nodes_left_ > 0) --nodes_left_;
      node.parts.push_back(grow(depth - 1, within));
      node.has_handles |= node.parts.back().has_handles;
      node.has_limits |= node.parts.back().has_limits;
      node.may_swallow |= node.parts.back().may_swallow;
    }
    return node;
  }

  /// A quiet tree never waits for permits while it holds some: nothing would end that. In a bounded
  /// tree the request of a limit is the last one, so nothing that has swallowed it may wait.
  [[nodiscard]] permission may_be_within(const plan& node, permission may) const {
    if (mood_ == temper::quiet && node.what == kind::acquire) may.acquires = false;
    if (mood_ == temper::bounded && has_limit(node.what) && node.limit != very_long) {
      return {.long_waits = true, .acquires = true, .swallows = false};
    }
    return may;
  }

  /// Count 0 is another form of some kinds: a handle without a limit, a body without any time.
  [[nodiscard]] static duration limit_of(const plan& node) {
    if (node.what == kind::limited_handle && node.count == 0) return very_long;
    if (node.what == kind::rescheduled && node.count == 0) return duration::zero();
    return node.count == 3 ? very_long : node.time;
  }

  [[nodiscard]] kind one_of(kind first, std::size_t kinds) {
    return static_cast<kind>(static_cast<std::size_t>(first) + random_() % kinds);
  }
  [[nodiscard]] kind random_leaf(permission may) {
    constexpr std::array<std::size_t, 4> kinds{4, 5, 5, 8};
    const kind leaf = one_of(kind::nap, kinds[static_cast<std::size_t>(mood_)]);
    if (leaf == kind::long_sleep && !may.long_waits) return kind::nap;
    const bool is_rare = leaf == kind::fails || leaf == kind::long_sleep;
    return is_rare && random_() % 3 != 0 ? kind::nap : leaf;
  }
  [[nodiscard]] kind random_inner(permission may) {
    const kind inner = random_() % 2 == 0 ? one_of(kind::acquire, 7) : one_of(kind::sequence, 5);
    if (inner == kind::acquire && !may.acquires) return kind::limited;
    return inner == kind::swallows && !may.swallows ? kind::shielded : inner;
  }
  [[nodiscard]] std::size_t part_count(kind what) {
    if (what < kind::acquire) return 0;
    return what < kind::sequence ? 1 : 2 + random_() % 3;
  }

  generator& random_;
  const temper mood_;
  std::size_t nodes_left_ = 10 + random_() % 70;
  number last_id_ = 0;
};

/// Whether a tree that is not quiet may end with the failure of node `id`.
inline bool may_fail(const plan& node, number id) {
  if (id == node.id) {
    return node.what == kind::fails || node.what == kind::awaits_other || has_limit(node.what);
  }
  return std::any_of(node.parts.begin(), node.parts.end(),
                     [&](const plan& each) { return may_fail(each, id); });
}

/// What a quiet tree ends with: the value, or one of the failures.
struct ending {
  number value = 0;
  std::set<number> failures;
};

inline ending predict(const plan& node) {
  ending result{node.id, {}};
  if (node.what == kind::fails) result.failures.insert(node.id);
  for (const plan& each : node.parts) {
    const ending part = predict(each);
    result.value += part.value;
    if (node.what == kind::outcomes || node.what == kind::handle_outcomes) continue;
    result.failures.insert(part.failures.begin(), part.failures.end());
    if (node.what == kind::sequence && !part.failures.empty()) break;
  }
  if (!result.failures.empty()) result.value = 0;
  return result;
}

}  // namespace magpie::test::cancel_trees
