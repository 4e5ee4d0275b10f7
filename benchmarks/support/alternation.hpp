#pragma once

#include <atomic>
#include <cstdint>

#include "support/program.hpp"

namespace bench {

/// Two tasks that yield in turns, and how often they do alternate.
class alternation {
 public:
  static constexpr unsigned tasks = 2;

  /// By task `self`, between two of its yields.
  void step(unsigned self) noexcept {
    if (last_.load(std::memory_order_relaxed) != self) {
      last_.store(self, std::memory_order_relaxed);
      ++turns_[self].changes;
    }
  }

  /// Of the yields of both tasks, `each` of one: the part after which the other one had run.
  [[nodiscard]] double part(std::int64_t each) const noexcept {
    return static_cast<double>(turns_[0].changes + turns_[1].changes) /
           static_cast<double>(tasks * each);
  }

 private:
  struct alignas(64) turns {
    std::int64_t changes = 0;
  };

  turns turns_[tasks];
  // The task that ran last, 0 or 1, at first neither; written by both; orders nothing.
  alignas(64) std::atomic<unsigned> last_{tasks};
};

/// The kernel yield: `run(each, turns)` has both tasks yield `each` times and waits for their end.
template <class Run>
[[nodiscard]] int measure_yield(program& measured, Run run) {
  const std::int64_t each = scaled(1'000'000);
  return measure(measured, alternation::tasks * each, [=]() -> sample {
    alternation turns;
    const auto begin = clock::now();
    run(each, turns);
    return {clock::now() - begin, {{"alternating", turns.part(each)}}};
  });
}

}  // namespace bench
