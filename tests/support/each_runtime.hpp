#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <magpie/runtime.hpp>
#include <string>
#include <string_view>
#include <thread>

#include "support/eventually.hpp"
#include "support/random.hpp"
#include "support/worker_counts.hpp"

namespace magpie::test {

/// The parameter of a test whose runtime has no workers: the test's own thread drives it, with
/// virtual time and in an order that a seed decides.
inline constexpr std::size_t no_workers = 0;

/// The seed of these runtimes: 1 in the first round of the tests, 2 in the second of those that
/// --gtest_repeat asks for, and so on. MAGPIE_SEED replaces it. A failed test says what it was.
class seed_of_round : public testing::EmptyTestEventListener {
 public:
  [[nodiscard]] static std::uint64_t value() {
    const char* given = std::getenv("MAGPIE_SEED");
    return given != nullptr ? std::stoull(given) : round_;
  }

 private:
  void OnTestIterationStart(const testing::UnitTest&, int iteration) override {
    round_ = static_cast<std::uint64_t>(iteration) + 1;
  }

  void OnTestEnd(const testing::TestInfo& tested) override {
    const bool is_virtual =
        std::string_view(tested.name()).find("virtual_time") != std::string_view::npos;
    if (is_virtual && tested.result()->Failed()) {
      std::cout << "MAGPIE_SEED=" << value() << " repeats it" << std::endl;
    }
  }

  [[nodiscard]] static bool listen() {
    testing::UnitTest::GetInstance()->listeners().Append(new seed_of_round);
    return true;
  }

  inline static std::uint64_t round_ = 1;
  static const bool listens_;
};

inline const bool seed_of_round::listens_ = listen();

/// Has a runtime without workers do the next thing that it can do: a step, or a jump.
inline void drive(magpie::runtime& driven) {
  if (driven.poll_one()) return;
  if (const auto next = driven.next_deadline()) {
    driven.run_until(*next);
  } else {
    std::this_thread::yield();  // other threads may have something for it
  }
}

/// Drives the runtime while this thread waits in eventually(), when nobody else does.
class driving_meanwhile {
 public:
  explicit driving_meanwhile(magpie::runtime& driven)
      : drive_([&driven] { drive(driven); }), before_(meanwhile) {
    if (driven.worker_count() == 0) meanwhile = &drive_;
  }
  ~driving_meanwhile() { meanwhile = before_; }
  driving_meanwhile(const driving_meanwhile&) = delete;
  driving_meanwhile& operator=(const driving_meanwhile&) = delete;

 private:
  const std::function<void()> drive_;
  const std::function<void()>* const before_;
};

/// A fixture whose tests run once for each kind of runtime: with each number of workers, and
/// without.
class each_runtime : public testing::TestWithParam<std::size_t> {
 protected:
  [[nodiscard]] static bool is_virtual() { return GetParam() == no_workers; }

  [[nodiscard]] static runtime_options settings() {
    runtime_options result;
    result.workers = GetParam();
    if (is_virtual()) {
      result.time = virtual_time;
      result.seed = seed_of_round::value();
    }
    return result;
  }

  /// For a test's own choices: that of the round, or of its own.
  [[nodiscard]] static std::uint64_t seed() {
    return is_virtual() ? seed_of_round::value() : announced_seed();
  }
};

/// A fixture with a runtime of that kind. When it has no workers, get() would wait for ever: tests
/// wait by block_on() and eventually().
class on_each_runtime : public each_runtime {
 protected:
  magpie::runtime runtime{settings()};

 private:
  const driving_meanwhile while_waiting_{runtime};
};

inline std::string runtime_name(const testing::TestParamInfo<std::size_t>& tested) {
  return tested.param == no_workers ? "virtual_time" : worker_count_name(tested);
}

}  // namespace magpie::test

/// Instantiates a suite that derives from each_runtime.
#define MAGPIE_FOR_EACH_RUNTIME(suite)                                                           \
  INSTANTIATE_TEST_SUITE_P(                                                                      \
      pool, suite,                                                                               \
      testing::Values(magpie::test::no_workers, std::size_t{1}, std::size_t{2}, std::size_t{8}), \
      magpie::test::runtime_name)

/// The same for tests of what holds where one thread runs all tasks.
#define MAGPIE_FOR_EACH_SINGLE_THREAD(suite)                                                       \
  INSTANTIATE_TEST_SUITE_P(pool, suite, testing::Values(magpie::test::no_workers, std::size_t{1}), \
                           magpie::test::runtime_name)
