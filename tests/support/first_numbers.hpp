#pragma once

#include <cstddef>
#include <numeric>
#include <vector>

namespace magpie::test {

/// From 0 to `count` - 1.
[[nodiscard]] inline std::vector<std::size_t> first_numbers(std::size_t count) {
  std::vector<std::size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  return numbers;
}

}  // namespace magpie::test
