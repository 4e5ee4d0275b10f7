#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

namespace magpie::test {

/// A fixture whose tests run once for each number of workers.
class each_worker_count : public testing::TestWithParam<std::size_t> {};

inline std::string worker_count_name(const testing::TestParamInfo<std::size_t>& tested) {
  return std::to_string(tested.param) + (tested.param == 1 ? "_worker" : "_workers");
}

}  // namespace magpie::test

/// Instantiates the suites of a file that derive from each_worker_count.
#define MAGPIE_FOR_EACH_WORKER_COUNT(suite)                                                 \
  INSTANTIATE_TEST_SUITE_P(pool, suite,                                                     \
                           testing::Values(std::size_t{1}, std::size_t{2}, std::size_t{8}), \
                           magpie::test::worker_count_name)
