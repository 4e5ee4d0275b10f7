#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

namespace magpie::detail {

/// Free blocks that come and go together, so that little work is done under the depot's lock. The
/// chain lies in its blocks, `offset` bytes from the beginning of each. It is a binary heap: block
/// i links to blocks 2 i + 1 and 2 i + 2. A thread that takes a chain apart finds most of its
/// blocks in no cache. In a list each link would wait for the link before it; here only each level
/// waits.
template <std::size_t offset>
class block_chain {
 public:
  /// Makes a chain of `count` blocks, at least one.
  [[nodiscard]] static block_chain& of(void* const* blocks, std::uint32_t count) noexcept {
    for (std::uint32_t i = count; i-- > 0;) {
      auto* const link = ::new (static_cast<std::byte*>(blocks[i]) + offset) block_chain(count);
      for (std::uint32_t j = 0; j < 2 && 2 * i + 1 + j < count; ++j) {
        link->following_[j] = &link_in(blocks[2 * i + 1 + j]);
      }
    }
    return link_in(blocks[0]);
  }

  [[nodiscard]] std::uint32_t length() const noexcept { return length_; }

  /// Puts the blocks, which are `block_size` bytes long, into `blocks`. Returns how many they are.
  std::uint32_t take_apart(void** blocks, std::size_t block_size) const noexcept {
    const std::uint32_t count = length_;
    blocks[0] = block_of(this);
    for (std::uint32_t i = 1; i < count; ++i) {
      blocks[i] = block_of(link_in(blocks[(i - 1) / 2]).following_[(i - 1) % 2]);
      prefetch_rest_of(blocks[i], block_size);
    }
    return count;
  }

  /// For the holder of the chain.
  block_chain* next = nullptr;

 private:
  explicit block_chain(std::uint32_t length) noexcept : length_(length) {}

  [[nodiscard]] static block_chain& link_in(void* block) noexcept {
    return *std::launder(reinterpret_cast<block_chain*>(static_cast<std::byte*>(block) + offset));
  }
  [[nodiscard]] static void* block_of(const block_chain* link) noexcept {
    return reinterpret_cast<std::byte*>(const_cast<block_chain*>(link)) - offset;
  }

  /// The block is about to be used. take_apart() itself touches its first line.
  static void prefetch_rest_of(const void* block, std::size_t block_size) noexcept {
    constexpr std::size_t line = 64;
    constexpr std::size_t most = 4 * line;
    for (std::size_t at = line; at < std::min(block_size, most); at += line) {
      __builtin_prefetch(static_cast<const std::byte*>(block) + at, 1);
    }
  }

  std::array<block_chain*, 2> following_{};
  const std::uint32_t length_;
};

/// The size of what a chain writes into each free block, at its offset.
inline constexpr std::size_t block_link_size = sizeof(block_chain<0>);

}  // namespace magpie::detail
