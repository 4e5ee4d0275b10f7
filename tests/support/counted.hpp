#pragma once

#include <atomic>

namespace magpie::test {

/// Counts its living objects, to see that everything constructed is destroyed, and once.
class counted {
 public:
  explicit counted(int number = 0) noexcept : value(number) { ++alive_; }
  counted(const counted& other) noexcept : value(other.value) { ++alive_; }
  counted(counted&& other) noexcept : value(other.value) { ++alive_; }
  counted& operator=(const counted&) noexcept = default;
  ~counted() { --alive_; }

  [[nodiscard]] static int alive() noexcept { return alive_; }

  int value;

 private:
  inline static std::atomic<int> alive_{0};
};

}  // namespace magpie::test
