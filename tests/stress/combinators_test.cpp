#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <magpie/magpie.hpp>
#include <queue>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/counted.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

// Random trees of combinators in virtual time, against a reference that computes when each ends and
// with what, without running anything.

namespace {

using magpie::test::counted;
using magpie::test::scaled;

enum class kind {
  leaf,           // sleeps, then returns or throws
  sequence,       // one part after the other
  gather,         // all parts
  outcomes,       // gather with return_exceptions
  race,           // the first end
  first_success,  // the first value
  limited,        // one part in a wait_for
  retry,          // one part, several attempts
  several,        // limit_concurrency
  group           // with_task_group
};
constexpr std::size_t kinds = 10;

/// A tree. Times are such that no two things happen at once: random ones among very many.
struct plan {
  kind what = kind::leaf;
  magpie::duration time{0};  // of a leaf's sleep; the limit
  unsigned number = 0;       // of a leaf: what it gives or throws
  std::size_t count = 0;     // of a leaf: it fails so many attempts; attempts; how many at once
  std::vector<plan> parts;
};

using generator = std::mt19937_64;

magpie::duration random_time(generator& random) {
  return std::chrono::microseconds(100) * (1 + random() % (std::uint64_t{1} << 34));
}

plan random_plan(generator& random, std::size_t depth, std::size_t& most_nodes) {
  plan made;
  made.time = random_time(random);
  made.number = static_cast<unsigned>(random() % 1000);
  if (depth > 1 && most_nodes > 0) made.what = static_cast<kind>(random() % kinds);
  std::size_t parts = 1 + random() % 8;
  switch (made.what) {
    case kind::leaf:
      parts = 0;
      made.count = random() % 3 == 0 ? 1 + random() % 3 : 0;
      break;
    case kind::limited:
    case kind::retry:
      parts = 1;
      made.count = 1 + random() % 3;
      break;
    default:
      made.count = 1 + random() % 4;
  }
  for (std::size_t i = 0; i < parts; ++i) {
    if (most_nodes > 0) --most_nodes;
    made.parts.push_back(random_plan(random, depth - 1, most_nodes));
  }
  return made;
}

using number = std::uint64_t;

struct failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

number fold(number sum, number next) { return sum * 31 + next; }

std::string words(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const failure& one) {
    return one.what();
  } catch (const magpie::timeout_error&) {
    return "timeout";
  } catch (const magpie::exception_group& several) {
    std::string all = "[";
    for (const std::exception_ptr& each : several.exceptions()) all += words(each) + ' ';
    return all + ']';
  } catch (const magpie::cancelled&) {
    return "cancelled";
  }
}

/// The end of a part: a value, or an error in words.
struct ending {
  magpie::duration at{0};
  number value = 0;
  std::string error = {};

  [[nodiscard]] bool has_failed() const { return !error.empty(); }
};

number hash_of(const ending& outcome) {
  return outcome.has_failed() ? std::hash<std::string>()(outcome.error) : outcome.value;
}

// The reference. Who is cancelled ends at once, so that who ends others ends when it does that.

ending predict(const plan& tree, magpie::duration start, std::size_t attempt);

std::vector<ending> predict_all(const plan& tree, magpie::duration start, std::size_t attempt) {
  std::vector<ending> all;
  for (const plan& each : tree.parts) all.push_back(predict(each, start, attempt));
  return all;
}

bool is_earlier(const ending& one, const ending& other) { return one.at < other.at; }

/// All are awaited, and the failure that came first counts.
ending conclude(const std::vector<ending>& all) {
  ending result;
  result.at = std::max_element(all.begin(), all.end(), is_earlier)->at;
  std::vector<ending> failed;
  for (const ending& each : all) {
    if (each.has_failed()) failed.push_back(each);
    result.value = fold(result.value, each.value);
  }
  if (!failed.empty()) {
    result.error = std::min_element(failed.begin(), failed.end(), is_earlier)->error;
  }
  return result;
}

ending predict_first_success(std::vector<ending> all) {
  std::sort(all.begin(), all.end(), is_earlier);
  std::string errors = "[";
  for (const ending& each : all) {
    if (!each.has_failed()) return each;
    errors += each.error + ' ';
  }
  return {.at = all.back().at, .error = errors + ']'};
}

ending predict_group(const std::vector<ending>& all) {
  ending result = conclude(all);
  if (!result.has_failed()) return result;
  for (const ending& each : all) {
    if (each.has_failed()) result.at = std::min(result.at, each.at);
  }
  result.error = '[' + result.error + " ]";
  return result;
}

ending predict_several(const plan& tree, magpie::duration start, std::size_t attempt) {
  std::vector<ending> begun;
  std::priority_queue<magpie::duration, std::vector<magpie::duration>, std::greater<>> free;
  for (std::size_t i = 0; i < tree.count; ++i) free.push(start);
  magpie::duration stopped = magpie::duration::max();
  for (const plan& each : tree.parts) {
    const magpie::duration at = free.top();
    free.pop();
    if (at >= stopped) break;
    begun.push_back(predict(each, at, attempt));
    free.push(begun.back().at);
    if (begun.back().has_failed()) stopped = std::min(stopped, begun.back().at);
  }
  return conclude(begun);
}

ending predict(const plan& tree, magpie::duration start, std::size_t attempt) {
  switch (tree.what) {
    case kind::leaf: {
      ending result{.at = start + tree.time, .value = tree.number};
      if (attempt < tree.count) result.error = "error" + std::to_string(tree.number);
      if (result.has_failed()) result.value = 0;
      return result;
    }
    case kind::sequence: {
      ending result{.at = start};
      for (const plan& each : tree.parts) {
        const ending next = predict(each, result.at, attempt);
        if (next.has_failed()) return next;
        result = {.at = next.at, .value = fold(result.value, next.value)};
      }
      return result;
    }
    case kind::gather:
      return conclude(predict_all(tree, start, attempt));
    case kind::outcomes: {
      ending result;
      for (const ending& each : predict_all(tree, start, attempt)) {
        result = {.at = std::max(result.at, each.at), .value = fold(result.value, hash_of(each))};
      }
      return result;
    }
    case kind::race: {
      const std::vector<ending> all = predict_all(tree, start, attempt);
      return *std::min_element(all.begin(), all.end(), is_earlier);
    }
    case kind::first_success:
      return predict_first_success(predict_all(tree, start, attempt));
    case kind::limited: {
      const ending inner = predict(tree.parts.front(), start, attempt);
      if (inner.at <= start + tree.time) return inner;
      return {.at = start + tree.time, .error = "timeout"};
    }
    case kind::retry: {
      ending last{.at = start};
      for (std::size_t i = 0; i < tree.count; ++i) {
        last = predict(tree.parts.front(), last.at, i);
        if (!last.has_failed()) break;
      }
      return last;
    }
    case kind::several:
      return predict_several(tree, start, attempt);
    case kind::group:
      return predict_group(predict_all(tree, start, attempt));
  }
  return {};
}

// The same with tasks.

magpie::task<number> run(const plan& tree, std::size_t attempt, counted here = counted());

std::vector<magpie::task<number>> run_all(const plan& tree, std::size_t attempt) {
  std::vector<magpie::task<number>> all;
  for (const plan& each : tree.parts) all.push_back(run(each, attempt));
  return all;
}

number fold_all(const std::vector<number>& values) {
  number sum = 0;
  for (const number each : values) sum = fold(sum, each);
  return sum;
}

magpie::task<number> run_group(const plan& tree, std::size_t attempt) {
  std::vector<magpie::task_handle<number>> children;
  co_await magpie::with_task_group([&](magpie::task_group& group) -> magpie::task<> {
    for (const plan& each : tree.parts) children.push_back(group.spawn(run(each, attempt)));
    co_return;
  });
  number sum = 0;
  for (const auto& each : children) sum = fold(sum, each.result());
  co_return sum;
}

magpie::task<number> run(const plan& tree, std::size_t attempt, counted) {
  switch (tree.what) {
    case kind::leaf:
      co_await magpie::sleep_for(tree.time);
      if (attempt < tree.count) throw failure("error" + std::to_string(tree.number));
      co_return tree.number;
    case kind::sequence: {
      number sum = 0;
      for (const plan& each : tree.parts) sum = fold(sum, co_await run(each, attempt));
      co_return sum;
    }
    case kind::gather:
      co_return fold_all(co_await magpie::gather(run_all(tree, attempt)));
    case kind::outcomes: {
      number sum = 0;
      const auto all = co_await magpie::gather(magpie::return_exceptions, run_all(tree, attempt));
      for (const auto& each : all) {
        ending same;
        if (each.has_value()) {
          same.value = each.value();
        } else {
          same.error = words(each.error());
        }
        sum = fold(sum, hash_of(same));
      }
      co_return sum;
    }
    case kind::race:
      co_return co_await magpie::race(run_all(tree, attempt));
    case kind::first_success:
      co_return co_await magpie::first_success(run_all(tree, attempt));
    case kind::limited:
      co_return co_await magpie::wait_for(run(tree.parts.front(), attempt), tree.time);
    case kind::retry: {
      std::size_t next = 0;
      co_return co_await magpie::retry({.attempts = static_cast<unsigned>(tree.count)},
                                       [&] { return run(tree.parts.front(), next++); });
    }
    case kind::several:
      co_return fold_all(co_await magpie::limit_concurrency(tree.count, run_all(tree, attempt)));
    case kind::group:
      co_return co_await run_group(tree, attempt);
  }
  co_return 0;
}

std::string text(const ending& end) {
  return (end.has_failed() ? end.error : std::to_string(end.value)) + " after " +
         std::to_string(end.at.count()) + " ns";
}

TEST(combinators_stress, trees_end_as_the_reference_says) {
  const std::uint64_t first_seed = magpie::test::announced_seed();
  const std::size_t trees = scaled(1e5);
  std::size_t failed = 0;
  for (std::size_t i = 0; i < trees; ++i) {
    const std::uint64_t seed = first_seed + i;
    generator random(seed);
    std::size_t most_nodes = 10 + random() % 80;
    const plan tree = random_plan(random, 1 + random() % 6, most_nodes);
    const ending expected = predict(tree, magpie::duration::zero(), 0);
    ending seen;
    {
      magpie::runtime runtime({.workers = 0, .time = magpie::virtual_time, .seed = seed | 1});
      try {
        seen.value = runtime.block_on(run(tree, 0));
      } catch (...) {
        seen.error = words(std::current_exception());
      }
      seen.at = runtime.now() - magpie::time_point{};
      ASSERT_TRUE(runtime.all_tasks().empty()) << "MAGPIE_SEED=" << seed;
      ASSERT_EQ(counted::alive(), 0) << "MAGPIE_SEED=" << seed;
    }
    failed += expected.has_failed() ? 1 : 0;
    ASSERT_EQ(text(seen), text(expected)) << "MAGPIE_SEED=" << seed;
  }
  EXPECT_LE(failed, trees) << "some fail";
}

}  // namespace
