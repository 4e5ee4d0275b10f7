#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "support/nqueens.hpp"
#include "support/program.hpp"

namespace bench {

/// A task that computes for 20 us, and notes when it was submitted and when it ended.
class small_task {
 public:
  void note_submission() noexcept { submitted_ = clock::now(); }

  void run() noexcept {
    const auto begin = clock::now();
    auto now = begin;
    while (now - begin < std::chrono::microseconds(20)) now = clock::now();
    latency_.store((now - submitted_).count(), std::memory_order_release);
  }

  [[nodiscard]] bool ended() const noexcept {
    return latency_.load(std::memory_order_acquire) != 0;
  }
  [[nodiscard]] double latency_us() const noexcept {
    return microseconds(nanoseconds(latency_.load(std::memory_order_acquire)));
  }

 private:
  clock::time_point submitted_;
  // 0, then once the time from submission to end, in ns: stored (release) by the task, read
  // (acquire) by the thread that submitted it.
  std::atomic<std::int64_t> latency_{0};
};

/// The computation that keeps all workers busy: boards of nqueens one after the other.
class board_series {
 public:
  static constexpr unsigned full_size = queens::most - 1;

  /// By the computation, after each board. False when it is to stop.
  [[nodiscard]] bool goes_on(std::uint64_t solutions) {
    check(solutions == 14'200, "nqueens");
    const std::lock_guard lock(mutex_);
    ends_.push_back(clock::now());
    return !stop_;
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }

  /// Boards a second, of those that ended from `begin` to `end`.
  [[nodiscard]] double rate(clock::time_point begin, clock::time_point end) {
    const std::lock_guard lock(mutex_);
    std::vector<clock::time_point> inside;
    for (const auto time : ends_) {
      if (time >= begin && time <= end) inside.push_back(time);
    }
    if (inside.size() < 2) return 0;
    return static_cast<double>(inside.size() - 1) /
           std::chrono::duration<double>(inside.back() - inside.front()).count();
  }

 private:
  std::mutex mutex_;
  bool stop_ = false;
  std::vector<clock::time_point> ends_;
};

/// The kernel mixed_load: `compute(series)` computes boards until the series stops, and blocks
/// meanwhile; `submit(task)` has task.run() called by a task, from a thread that is no worker.
template <class Compute, class Submit>
[[nodiscard]] int measure_mixed_load(program& measured, Compute compute, Submit submit) {
  using namespace std::chrono_literals;
  measured.measure(1, warm_up::none, [=]() -> sample {
    // Not so short that no two boards end in a phase.
    const nanoseconds phase = std::max<nanoseconds>(scaled(10s), 500ms);
    board_series series;
    std::deque<small_task> small;
    double rate_alone = 0;
    double rate_loaded = 0;
    std::size_t lost = 0;
    std::jthread outside([&] {
      std::this_thread::sleep_for(200ms);
      const auto start = clock::now();
      std::this_thread::sleep_for(phase);
      const auto load = clock::now();
      for (auto due = load; due < load + phase; due += 1ms) {
        std::this_thread::sleep_until(due);
        small_task& next = small.emplace_back();
        next.note_submission();
        submit(next);
      }
      const auto end = clock::now();
      std::this_thread::sleep_for(1s);
      for (const small_task& each : small) lost += each.ended() ? 0 : 1;
      rate_alone = series.rate(start, load);
      rate_loaded = series.rate(load, end);
      series.stop();
    });
    compute(series);
    outside.join();
    std::vector<double> latencies;
    for (const small_task& each : small) {
      while (!each.ended()) std::this_thread::sleep_for(1ms);
      latencies.push_back(each.latency_us());
    }
    check(rate_alone > 0, "mixed_load: no two boards in a phase");
    return {nanoseconds(static_cast<std::int64_t>(1e9 / rate_alone)),
            {{"p50_us", percentile(latencies, 0.5)},
             {"p99_us", percentile(latencies, 0.99)},
             {"max_us", percentile(latencies, 1)},
             {"lost", static_cast<double>(lost)},
             {"kept", rate_loaded / rate_alone}}};
  });
  return measured.run();
}

}  // namespace bench
