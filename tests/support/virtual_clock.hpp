#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <magpie/clock.hpp>
#include <magpie/runtime.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>

namespace magpie::test {

/// When virtual time begins.
inline constexpr time_point start{};

/// Sleeps, and gives the time at which it woke.
inline task<time_point> sleep_and_look(duration delay) {
  co_await sleep_for(delay);
  co_return magpie::now();
}

/// A fixture with a runtime of virtual time, and the seed as parameter.
class in_virtual_time : public testing::TestWithParam<std::uint64_t> {
 protected:
  magpie::runtime runtime{{.workers = 0, .time = virtual_time, .seed = GetParam()}};
};

}  // namespace magpie::test
