#pragma once

#include <cstddef>
#include <cstring>
#include <magpie/detail/frame_pool.hpp>
#include <vector>

namespace magpie::test {

using detail::has_frame_pool;

inline constexpr std::size_t largest_pooled = 4096;

/// A block of the frame pool, which can be filled to see that nobody else writes there.
struct frame {
  std::byte* memory;
  std::size_t size;

  static frame allocate(std::size_t size) {
    return {static_cast<std::byte*>(detail::allocate_frame(size)), size};
  }
  void fill() const { std::memset(memory, static_cast<int>(size % 251), size); }
  [[nodiscard]] bool is_intact() const {
    for (std::size_t i = 0; i < size; ++i) {
      if (memory[i] != static_cast<std::byte>(size % 251)) return false;
    }
    return true;
  }
  void free() const { detail::free_frame(memory, size); }
};

/// The largest size of each class.
[[nodiscard]] inline std::vector<std::size_t> ends_of_classes() {
  std::vector<std::size_t> ends;
  for (std::size_t end = 16; end <= 256; end += 16) ends.push_back(end);
  for (std::size_t end = 320; end <= 1024; end += 64) ends.push_back(end);
  for (std::size_t end = 1280; end <= largest_pooled; end += 256) ends.push_back(end);
  return ends;
}

}  // namespace magpie::test

#define MAGPIE_NEEDS_POOL() \
  if (!magpie::test::has_frame_pool) GTEST_SKIP() << "under AddressSanitizer there is no pool"
