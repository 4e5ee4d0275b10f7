#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/magpie.hpp>
#include <vector>

namespace bench {

/// A task that ends at once.
inline magpie::task<std::int64_t> number(std::int64_t value) { co_return value; }

/// Spawns tasks of which each gives its number.
inline std::vector<magpie::task_handle<std::int64_t>> spawn_numbers(std::int64_t count) {
  std::vector<magpie::task_handle<std::int64_t>> handles;
  handles.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) handles.push_back(magpie::spawn(number(i)));
  return handles;
}

}  // namespace bench
