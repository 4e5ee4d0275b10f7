#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <magpie/gather.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>
#include <magpie/yield.hpp>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace magpie::test {

/// How a child of a gather goes about it.
enum class manner { ends_at_once, yields, sleeps };

/// Most often one that ends at once.
inline manner any_manner(std::mt19937_64& random) {
  const auto drawn = random() % 8;
  return drawn < 5 ? manner::ends_at_once : drawn < 7 ? manner::yields : manner::sleeps;
}

/// What happened to the children of one gather.
class record {
 public:
  explicit record(std::size_t size) : starts_(size), ends_(size) {}
  record(const record&) = delete;
  record& operator=(const record&) = delete;

  [[nodiscard]] task<std::size_t> child(std::size_t index, manner how) {
    start(index);
    if (how == manner::yields) co_await yield();
    if (how == manner::sleeps) co_await sleep_for(std::chrono::seconds(0));
    ++ends_[index];
    co_return index;
  }

  [[nodiscard]] task<std::size_t> failing_child(std::size_t index, manner how) {
    start(index);
    if (how == manner::yields) co_await yield();
    if (how == manner::sleeps) co_await sleep_for(std::chrono::seconds(0));
    ++ends_[index];
    throw index;
  }

  [[nodiscard]] bool each_ran_once() const {
    const auto once = [](const std::atomic<int>& each) { return each.load() == 1; };
    return std::all_of(starts_.begin(), starts_.end(), once) &&
           std::all_of(ends_.begin(), ends_.end(), once);
  }

  [[nodiscard]] bool none_ran() const {
    return std::all_of(starts_.begin(), starts_.end(),
                       [](const std::atomic<int>& each) { return each.load() == 0; });
  }

  // The order in which they start; for one worker.
  void keep_order() { order_.emplace(); }
  [[nodiscard]] bool is_in_order() const { return std::is_sorted(order_->begin(), order_->end()); }

 private:
  void start(std::size_t index) {
    ++starts_[index];
    if (order_) order_->push_back(index);
  }

  std::deque<std::atomic<int>> starts_;
  std::deque<std::atomic<int>> ends_;
  std::optional<std::vector<std::size_t>> order_;
};

/// Gathers them in a task.
template <class T>
task<std::vector<T>> gather_all(std::vector<task<T>> children) {
  auto results = co_await magpie::gather(std::move(children));
  co_return results;
}

}  // namespace magpie::test
