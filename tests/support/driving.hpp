#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/futex.hpp>
#include <magpie/detail/scheduler.hpp>
#include <string>
#include <utility>

namespace magpie::test {

/// A host that can sleep until it is rung for.
struct host {
  [[nodiscard]] detail::scheduler::options settings(time_source time = real_time,
                                                    std::uint64_t seed = 0) {
    const auto ring = [](void* self) noexcept {
      static_cast<host*>(self)->rings.fetch_add(1);
      static_cast<host*>(self)->bed.unpark();
    };
    return {.workers = 0, .driven = {.time = time, .seed = seed, .ring = ring}, .owner = this};
  }

  detail::parker bed;
  std::atomic<std::size_t> rings{0};
};

/// Runs what is ready, and says how many jobs that were.
inline std::size_t run_ready(detail::scheduler& home) {
  std::size_t count = 0;
  while (home.run_one()) ++count;
  return count;
}

/// For a run that ends by itself, or at its deadline.
inline bool never() { return false; }

/// Runs until `is_over`, or until the deadline.
inline detail::scheduler::end_of_run run(detail::scheduler& home, std::function<bool()> is_over,
                                         time_point deadline = time_point::max(),
                                         std::function<bool()> is_expected = never) {
  return home.run_until(
      {.is_over = std::move(is_over), .is_expected = std::move(is_expected), .deadline = deadline});
}

/// For both sources of time, with a seed and without.
struct way {
  time_source time;
  std::uint64_t seed;
};

/// A fixture with a scheduler that has no workers, and its host.
class driving : public testing::TestWithParam<way> {
 protected:
  [[nodiscard]] bool is_virtual() const { return GetParam().time == virtual_time; }

  host mine;
  detail::scheduler home{mine.settings(GetParam().time, GetParam().seed)};
};

inline std::string way_name(const testing::TestParamInfo<way>& tested) {
  const std::string time = tested.param.time == virtual_time ? "virtual_time" : "real_time";
  return time + (tested.param.seed == 0 ? "_in_order" : "_seeded");
}

}  // namespace magpie::test

/// Instantiates a suite that derives from driving.
#define MAGPIE_FOR_EACH_WAY_OF_DRIVING(suite)                                           \
  INSTANTIATE_TEST_SUITE_P(of, suite,                                                   \
                           testing::Values(magpie::test::way{magpie::real_time, 0},     \
                                           magpie::test::way{magpie::real_time, 5},     \
                                           magpie::test::way{magpie::virtual_time, 0},  \
                                           magpie::test::way{magpie::virtual_time, 5}), \
                           magpie::test::way_name)
