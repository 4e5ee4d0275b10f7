#pragma once

#include <algorithm>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "support/countdown.hpp"
#include "support/program.hpp"

namespace bench {

/// The kernel foreign_submit: adds a case for 1, 2 and 4 producers. `make_producer()` is called on
/// each producer's thread and gives what submits one task there; the task calls one_ended() of the
/// countdown that the producer gets.
template <class MakeProducer>
void measure_foreign_submit(program& measured, MakeProducer make_producer) {
  for (const unsigned producers : {1U, 2U, 4U}) {
    const std::int64_t each = scaled(1'000'000 / producers);
    const auto submit_all = [=]() -> sample {
      countdown left(each * producers);
      std::latch ready(static_cast<std::ptrdiff_t>(producers) + 1);
      std::vector<clock::time_point> begins(producers);
      std::vector<std::jthread> threads;
      threads.reserve(producers);
      for (clock::time_point& begin : begins) {
        threads.emplace_back([&] {
          auto submit = make_producer();
          ready.arrive_and_wait();
          begin = clock::now();
          for (std::int64_t count = 0; count < each; ++count) submit(left);
        });
      }
      ready.arrive_and_wait();
      left.wait();
      const auto end = clock::now();
      threads.clear();
      return {.elapsed = end - *std::min_element(begins.begin(), begins.end())};
    };
    measured.measure("producers:" + std::to_string(producers), each * producers, warm_up::one_run,
                     submit_all);
  }
}

}  // namespace bench
