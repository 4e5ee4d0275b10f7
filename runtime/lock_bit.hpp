#pragma once

#include <atomic>
#include <cstdint>
#include <magpie/detail/spin_lock.hpp>

namespace magpie::detail {

/// Takes a spin lock that is one bit of a word with other contents: waits until no thread has set
/// the bit, and sets it (acquire).
inline void lock_bit_slowly(std::atomic<std::uint64_t>& word, std::uint64_t bit) noexcept {
  for (spin_wait waiting; (word.fetch_or(bit, std::memory_order_acquire) & bit) != 0;) {
    while ((word.load(std::memory_order_relaxed) & bit) != 0) waiting.once();
  }
}

}  // namespace magpie::detail
