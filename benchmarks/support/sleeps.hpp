#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "support/process.hpp"
#include "support/program.hpp"

namespace bench {

/// The kernel sleeps: how long each task sleeps, and how late each woke.
class sleeps_problem {
 public:
  [[nodiscard]] std::size_t count() const noexcept { return lateness_.size(); }

  [[nodiscard]] static std::chrono::microseconds length(std::size_t number) noexcept {
    return std::chrono::microseconds(1000 + mix(number * gamma) % 999'001);
  }

  /// By task `number` after its sleep, that was asked for at `begin`.
  void woke(std::size_t number, clock::time_point begin) noexcept {
    lateness_[number] = microseconds(clock::now() - begin - length(number));
  }

  /// `run()` has all tasks sleep and waits for them.
  template <class Run>
  [[nodiscard]] int measure(program& measured, Run run) {
    measured.measure(static_cast<std::int64_t>(count()), warm_up::none, [this, run]() -> sample {
      const nanoseconds cpu_before = process_usage::now().cpu;
      const auto begin = clock::now();
      run();
      const auto end = clock::now();
      const nanoseconds cpu = process_usage::now().cpu - cpu_before;
      check(*std::min_element(lateness_.begin(), lateness_.end()) >= 0, "a sleep was too short");
      return {end - begin,
              {{"cpu_us", microseconds(cpu) / static_cast<double>(count())},
               {"late_p50_us", percentile(lateness_, 0.5)},
               {"late_p99_us", percentile(lateness_, 0.99)}}};
    });
    return measured.run();
  }

 private:
  // Below zero: has not woken.
  std::vector<double> lateness_ =
      std::vector<double>(static_cast<std::size_t>(scaled(100'000)), -1.0);
};

}  // namespace bench
