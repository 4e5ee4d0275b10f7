#include <magpie/parallel_invoke.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/yield.hpp>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

#include "support/counted.hpp"
#include "support/eventually.hpp"
#include "support/invoke_so.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

namespace {

using magpie::test::announced_seed;
using magpie::test::counted;
using magpie::test::eventually;
using magpie::test::fibonacci;
using magpie::test::in_task;
using magpie::test::invoke_so;
using magpie::test::scaled;
using magpie::test::second;

class parallel_invoke : public magpie::test::each_worker_count {
 protected:
  template <class Body>
  auto call(Body body) {
    return runtime.block_on(in_task(body));
  }

  [[nodiscard]] std::vector<second> ways() const {
    if (GetParam() == 1) return {second::stays};
    return {second::stays, second::is_stolen, second::is_stolen_and_late};
  }

  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(parallel_invoke);

class parallel_invoke_on_two_workers : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 2}};
};

// Results.

TEST_P(parallel_invoke, gives_a_tuple_in_the_order_of_the_arguments) {
  for (const second way : ways()) {
    const auto results =
        call([way] { return invoke_so(way, [] { return 1; }, [] { return std::string("two"); }); });
    static_assert(std::is_same_v<decltype(results), const std::tuple<int, std::string>>);
    EXPECT_EQ(results, std::make_tuple(1, std::string("two")));
  }
}

TEST_P(parallel_invoke, takes_one_to_six_closures) {
  const auto a = [] { return 'a'; };
  const auto b = [] { return std::string("b"); };
  const auto c = [] {};
  const auto d = [] { return 4L; };
  const auto e = [] { return 5.0; };
  const auto f = [] { return std::vector<int>{6}; };
  constexpr std::monostate none;
  const std::string text = "b";
  const std::vector<int> list{6};
  using magpie::parallel_invoke;
  EXPECT_EQ(call([&] { return parallel_invoke(a); }), std::make_tuple('a'));
  EXPECT_EQ(call([&] { return parallel_invoke(a, b); }), std::make_tuple('a', text));
  EXPECT_EQ(call([&] { return parallel_invoke(a, b, c); }), std::make_tuple('a', text, none));
  EXPECT_EQ(call([&] { return parallel_invoke(a, b, c, d); }),
            std::make_tuple('a', text, none, 4L));
  EXPECT_EQ(call([&] { return parallel_invoke(a, b, c, d, e); }),
            std::make_tuple('a', text, none, 4L, 5.0));
  EXPECT_EQ(call([&] { return parallel_invoke(a, b, c, d, e, f); }),
            std::make_tuple('a', text, none, 4L, 5.0, list));
}

TEST_P(parallel_invoke, gives_monostate_for_void) {
  for (const second way : ways()) {
    int first_ran = 0;
    int second_ran = 0;
    const auto results =
        call([&] { return invoke_so(way, [&] { ++first_ran; }, [&] { ++second_ran; }); });
    static_assert(
        std::is_same_v<decltype(results), const std::tuple<std::monostate, std::monostate>>);
    EXPECT_EQ(first_ran, 1);
    EXPECT_EQ(second_ran, 1);
  }
}

TEST_P(parallel_invoke, gives_references_to_the_very_objects) {
  int first_object = 1;
  const std::string second_object = "constant";
  for (const second way : ways()) {
    call([&] {
      const auto results = invoke_so(
          way, [&]() -> int& { return first_object; },
          [&]() -> const std::string& { return second_object; });
      static_assert(std::is_same_v<decltype(results), const std::tuple<int&, const std::string&>>);
      EXPECT_EQ(&std::get<0>(results), &first_object);
      EXPECT_EQ(&std::get<1>(results), &second_object);
    });
  }
  call([&] {
    const auto refer = [&]() -> int& { return first_object; };
    const auto results = magpie::parallel_invoke(refer, refer, refer, refer);
    EXPECT_EQ(&std::get<0>(results), &first_object);
    EXPECT_EQ(&std::get<3>(results), &first_object);
  });
}

TEST_P(parallel_invoke, gives_what_can_only_be_moved) {
  const auto make = [](int value) { return [value] { return std::make_unique<int>(value); }; };
  for (const second way : ways()) {
    const auto two = call([&] { return invoke_so(way, make(1), make(2)); });
    EXPECT_EQ(*std::get<0>(two), 1);
    EXPECT_EQ(*std::get<1>(two), 2);
  }
  const auto four =
      call([&] { return magpie::parallel_invoke(make(1), make(2), make(3), make(4)); });
  EXPECT_EQ(*std::get<0>(four) + *std::get<1>(four) * 10 + *std::get<2>(four) * 100, 321);
  EXPECT_EQ(*std::get<3>(four), 4);
}

TEST_P(parallel_invoke, calls_the_callers_own_closures) {
  int (*const plain)() = [] { return 3; };
  call([&] {
    auto counts = [calls = 0]() mutable { return ++calls; };
    auto counts_too = counts;
    for (int i = 1; i <= 3; ++i) {
      EXPECT_EQ(magpie::parallel_invoke(counts, counts_too, plain), std::make_tuple(i, i, 3));
    }
  });
}

TEST_P(parallel_invoke, keeps_and_destroys_results_as_the_serial_program_does) {
  for (const second way : ways()) {
    call([way] {
      {
        const auto results = invoke_so(way, [] { return counted(1); }, [] { return counted(2); });
        EXPECT_EQ(std::get<0>(results).value * 10 + std::get<1>(results).value, 12);
        EXPECT_EQ(counted::alive(), 2);
      }
      EXPECT_EQ(counted::alive(), 0);
    });
  }
}

// Nesting.

TEST_P(parallel_invoke, computes_fibonacci_in_plain_functions) {
  for (std::size_t i = 0; i < scaled(500); ++i) {
    ASSERT_EQ(call([] { return fibonacci(20); }), 6765);
  }
}

/// One call below another, so that the forks that lie open outgrow any lane.
long down(int levels) {
  if (levels == 0) return 0;
  const auto [deeper, one] =
      magpie::parallel_invoke([levels] { return down(levels - 1); }, [] { return 1L; });
  return deeper + one;
}

TEST_P(parallel_invoke, nests_deeply) {
  for (int i = 0; i < 20; ++i) ASSERT_EQ(call([] { return down(2000); }), 2000);
}

TEST_P(parallel_invoke, of_many_nested_calls_each_closure_once) {
  std::array<std::atomic<int>, 4096> runs{};
  struct each_of {
    static void range(std::atomic<int>* first, std::size_t count) {
      if (count == 0) return;
      ++*first;
      const std::size_t third = (count - 1) / 3;
      magpie::parallel_invoke([=] { range(first + 1, third); },
                              [=] { range(first + 1 + third, third); },
                              [=] { range(first + 1 + 2 * third, count - 1 - 2 * third); });
    }
  };
  for (int round = 1; round <= 20; ++round) {
    call([&] { each_of::range(runs.data(), runs.size()); });
    for (const auto& each : runs) ASSERT_EQ(each.load(), round);
  }
}

TEST_F(parallel_invoke_on_two_workers, calls_closures_at_the_same_time) {
  const auto meet = [] {
    std::atomic<int> arrived{0};
    const auto wait_for_both = [&] {
      ++arrived;
      return eventually([&] { return arrived == 2; });
    };
    return magpie::parallel_invoke(wait_for_both, wait_for_both);
  };
  for (std::size_t i = 0; i < scaled(5000); ++i) {
    ASSERT_EQ(runtime.block_on(in_task(meet)), std::make_tuple(true, true));
  }
}

// Exceptions.

TEST_P(parallel_invoke, rethrows_after_all_have_ended) {
  // Which of three throw, as bits; the last one may be late.
  for (const second way : ways()) {
    for (unsigned throwing = 0; throwing < 8; ++throwing) {
      const std::string thrown = call([way, throwing]() -> std::string {
        std::atomic<int> ended{0};
        const auto closure = [&ended, throwing](unsigned number) {
          return [&ended, throwing, number] {
            const counted local(1);
            ++ended;
            if ((throwing >> number & 1) != 0) throw std::runtime_error(std::to_string(number));
            return counted(2);
          };
        };
        std::string what = "none";
        try {
          const auto inner = [&] { return invoke_so(way, closure(1), closure(2)); };
          const auto results = invoke_so(way, closure(0), inner);
          EXPECT_EQ(counted::alive(), 3);
        } catch (const std::runtime_error& error) {
          what = error.what();
        }
        EXPECT_EQ(ended.load(), 3) << "throwing " << throwing;
        EXPECT_EQ(counted::alive(), 0) << "throwing " << throwing;
        return what;
      });
      const auto first_thrown = [throwing]() -> std::string {
        for (unsigned number = 0; number < 3; ++number) {
          if ((throwing >> number & 1) != 0) return std::to_string(number);
        }
        return "none";
      };
      EXPECT_EQ(thrown, first_thrown());
    }
  }
}

/// Leaves in the order of the serial program; each may throw its number.
class throwing_tree {
 public:
  throwing_tree(std::size_t leaves, std::uint64_t seed) : throws_(leaves), calls_(leaves) {
    std::mt19937_64 random(seed);
    const std::uint64_t one_in = 1 + random() % (2 * leaves);
    for (std::size_t i = 0; i < leaves; ++i) {
      if (random() % one_in == 0) {
        throws_[i] = true;
        expected_ = std::min(expected_.value_or(i), i);
      }
    }
  }

  void call_all() { call(0, throws_.size()); }

  [[nodiscard]] std::optional<std::size_t> expected() const { return expected_; }
  [[nodiscard]] bool all_called_once() const {
    return std::all_of(calls_.begin(), calls_.end(),
                       [](const std::atomic<int>& each) { return each.load() == 1; });
  }

 private:
  counted call(std::size_t begin, std::size_t end) {
    const counted local(0);
    if (end - begin == 1) {
      ++calls_[begin];
      if (throws_[begin]) throw begin;
      return local;
    }
    const std::size_t middle = begin + std::max<std::size_t>(1, (end - begin) / 3);
    auto results = magpie::parallel_invoke([&] { return call(begin, middle); },
                                           [&] { return call(middle, end); });
    return std::get<1>(results);
  }

  std::vector<bool> throws_;
  std::deque<std::atomic<int>> calls_;
  std::optional<std::size_t> expected_;
};

TEST_P(parallel_invoke, rethrows_what_comes_first_in_the_order_of_the_arguments) {
  std::mt19937_64 random(announced_seed());
  for (std::size_t i = 0; i < scaled(2e4); ++i) {
    throwing_tree tree(1 + random() % 100, random());
    const auto thrown = call([&]() -> std::optional<std::size_t> {
      try {
        tree.call_all();
      } catch (std::size_t leaf) {
        return leaf;
      }
      return std::nullopt;
    });
    ASSERT_EQ(thrown, tree.expected());
    ASSERT_TRUE(tree.all_called_once());
    ASSERT_EQ(counted::alive(), 0);
  }
}

// The task that calls.

TEST_P(parallel_invoke, runs_closures_as_part_of_the_calling_task) {
  const auto task_of = [](second way) -> magpie::task<> {
    const auto self = magpie::current_task();
    const auto name = [] { return magpie::current_task().name(); };
    const auto [first_name, second_name] = invoke_so(way, name, name);
    EXPECT_EQ(first_name, self.name());
    EXPECT_EQ(second_name, self.name());
    EXPECT_EQ(magpie::current_task(), self);
    co_await magpie::yield();
    EXPECT_EQ(magpie::current_task(), self);
  };
  for (const second way : ways()) {
    runtime.block_on(task_of(way));
  }
}

/// Looks at each node, before the fork and after the wait, whether `self` is still what runs.
bool is_always(const magpie::any_task_handle& self, int levels) {
  if (levels <= 0) return magpie::current_task() == self;
  const bool before = magpie::current_task() == self;
  const auto [left, right] =
      magpie::parallel_invoke([&] { return is_always(self, levels - 1); },
                              [&] { return is_always(self, levels - 1 - levels % 2); });
  return before && left && right && magpie::current_task() == self;
}

TEST_P(parallel_invoke, tells_many_tasks_apart) {
  const auto one = [](int rounds) -> magpie::task<bool> {
    const auto self = magpie::current_task();
    bool right = true;
    for (int i = 0; i < rounds; ++i) {
      right = is_always(self, 6) && right;
      co_await magpie::yield();
      right = magpie::current_task() == self && right;
    }
    co_return right;
  };
  std::vector<magpie::task_handle<bool>> handles;
  for (int i = 0; i < 16; ++i) handles.push_back(runtime.spawn(one(30)));
  for (const auto& each : handles) {
    ASSERT_TRUE(eventually([&] { return each.done(); }));
    EXPECT_TRUE(each.result());
  }
}

TEST_P(parallel_invoke, spawns_from_closures) {
  std::atomic<int> ended{0};
  const auto note = [&ended]() -> magpie::task<> {
    co_await magpie::yield();
    ++ended;
  };
  call([&] {
    const auto spawn_one = [&] { magpie::spawn(note()); };
    for (int i = 0; i < 100; ++i) magpie::parallel_invoke(spawn_one, spawn_one, spawn_one);
  });
  EXPECT_TRUE(eventually([&] { return ended == 300; }));
}

TEST_P(parallel_invoke, outside_of_a_task_is_an_error_before_anything_is_called) {
  int calls = 0;
  const auto note = [&calls] { ++calls; };
  EXPECT_THROW(magpie::parallel_invoke(note), magpie::invalid_state);
  EXPECT_THROW(magpie::parallel_invoke(note, note), magpie::invalid_state);
  // A done callback runs on a worker, but in no task, also right after stolen closures.
  call([] { return fibonacci(12); });
  std::atomic<int> thrown{0};
  const auto handle = runtime.spawn(in_task([] { return fibonacci(12); }));
  handle.add_done_callback([&](const magpie::any_task_handle&) {
    try {
      magpie::parallel_invoke(note, note);
    } catch (const magpie::invalid_state&) {
      ++thrown;
    }
    thrown += 10;
  });
  EXPECT_TRUE(eventually([&] { return thrown >= 10; }));
  EXPECT_EQ(thrown, 11);
  EXPECT_EQ(calls, 0);
}

}  // namespace
