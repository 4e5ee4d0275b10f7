#pragma once

#include <atomic>
#include <exception>
#include <utility>
#include <vector>

namespace magpie::detail {

/// Errors in the order in which they came. Any thread may add one.
class error_list {
 public:
  error_list() noexcept = default;
  error_list(const error_list&) = delete;
  error_list& operator=(const error_list&) = delete;
  ~error_list() {
    for (entry* each = newest_.load(std::memory_order_relaxed); each != nullptr;) {
      delete std::exchange(each, each->previous);
    }
  }

  /// Throws std::bad_alloc.
  void add(std::exception_ptr error) {
    auto* const added = new entry{std::move(error), newest_.load(std::memory_order_relaxed)};
    while (!newest_.compare_exchange_weak(added->previous, added, std::memory_order_release,
                                          std::memory_order_relaxed)) {
    }
  }

  /// Moves the errors out, the oldest first. Called when no thread adds any more.
  [[nodiscard]] std::vector<std::exception_ptr> take() {
    std::vector<std::exception_ptr> errors;
    for (entry* each = newest_.load(std::memory_order_acquire); each != nullptr;
         each = each->previous) {
      errors.push_back(std::move(each->error));
    }
    return {errors.rbegin(), errors.rend()};
  }

 private:
  struct entry {
    std::exception_ptr error;
    entry* previous;
  };

  // Null, then the newest entry of a list that only grows. add() sets it by compare-exchange; its
  // release publishes the entry. take() acquires.
  std::atomic<entry*> newest_{nullptr};
};

}  // namespace magpie::detail
