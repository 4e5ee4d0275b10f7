#pragma once

#include <cstdint>
#include <semaphore>

namespace bench {

/// The result of a task whose runtime has no handle for it, for a thread that blocks until it
/// comes.
class answer {
 public:
  void give(std::int64_t value) noexcept {
    value_ = value;
    given_.release();
  }

  [[nodiscard]] std::int64_t wait() noexcept {
    given_.acquire();
    return value_;
  }

 private:
  std::int64_t value_ = 0;
  std::binary_semaphore given_{0};
};

}  // namespace bench
