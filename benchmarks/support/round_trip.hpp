#pragma once

#include <cstdint>
#include <vector>

#include "support/program.hpp"

namespace bench {

/// The kernel round_trip: `call(i)` submits a task that gives i and blocks until it has the result.
template <class Call>
[[nodiscard]] int measure_round_trip(program& measured, Call call) {
  const std::int64_t trips = scaled(100'000, 100);
  measured.measure(trips, warm_up::none, [=]() -> sample {
    for (std::int64_t i = 0; i < 1000; ++i) check(call(i) == i, "round_trip");
    std::vector<double> times;
    times.reserve(static_cast<std::size_t>(trips));
    const auto begin = clock::now();
    auto before = begin;
    for (std::int64_t i = 0; i < trips; ++i) {
      check(call(i) == i, "round_trip");
      const auto after = clock::now();
      times.push_back(microseconds(after - before));
      before = after;
    }
    return {before - begin,
            {{"p50_us", percentile(times, 0.5)}, {"p99_us", percentile(times, 0.99)}}};
  });
  return measured.run();
}

}  // namespace bench
