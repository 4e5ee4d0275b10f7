#pragma once

#include <string_view>
#include <thread>

#include "support/process.hpp"
#include "support/program.hpp"

namespace bench {

/// The kernel idle: what a pool costs that has nothing to do, and with an empty task every 10 ms.
/// `submit()` submits one and does not wait.
template <class Submit>
[[nodiscard]] int measure_idle(program& measured, Submit submit) {
  using namespace std::chrono_literals;
  const nanoseconds phase = std::max<nanoseconds>(scaled(10s), 100ms);

  const auto usage_of = [=](auto spend) -> sample {
    submit();
    // What runtimes do before they come to rest.
    std::this_thread::sleep_for(500ms);
    const process_usage before = process_usage::now();
    const auto begin = clock::now();
    spend(begin);
    const double seconds = std::chrono::duration<double>(clock::now() - begin).count();
    const process_usage after = process_usage::now();
    const nanoseconds cpu = after.cpu - before.cpu;
    const auto switches = static_cast<double>(after.voluntary_switches - before.voluntary_switches);
    return {
        cpu,
        {{"cpu_us_per_s", microseconds(cpu) / seconds}, {"switches_per_s", switches / seconds}}};
  };

  measured.measure("nothing", 1, warm_up::none, [=] {
    return usage_of([=](clock::time_point) { std::this_thread::sleep_for(phase); });
  });
  measured.measure("ticking", phase / 10ms, warm_up::none, [=] {
    return usage_of([=](clock::time_point begin) {
      for (auto due = begin; due < begin + phase; due += 10ms) {
        std::this_thread::sleep_until(due);
        submit();
      }
    });
  });
  return measured.run();
}

}  // namespace bench
