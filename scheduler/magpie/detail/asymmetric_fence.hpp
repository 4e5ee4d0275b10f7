#pragma once

#include <atomic>

namespace magpie::detail {

/// A store-load fence that only one side pays for. Say two threads each store their own flag and
/// then load the other's flag. Both may miss the other's store, unless both execute a full fence in
/// between (Dekker's problem). Here the frequent side runs light(), a compiler barrier. The rare
/// side runs heavy(), which makes every running thread of the process execute a full fence before
/// it returns (Linux membarrier(2), PRIVATE_EXPEDITED). The later side then sees the other's store.
///
/// Where the kernel has no membarrier, and under ThreadSanitizer, both are seq_cst fences.
class asymmetric_fence {
 public:
  static void light() noexcept {
    if (is_symmetric()) [[unlikely]] {
      std::atomic_thread_fence(std::memory_order_seq_cst);
    } else {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
  }

  /// A light() for callers that need no fence while is_symmetric(): always a compiler barrier. With
  /// MAGPIE_FORK_FENCE it is a full fence, to show what that costs.
  static void light_half() noexcept {
#ifdef MAGPIE_FORK_FENCE
    std::atomic_thread_fence(std::memory_order_seq_cst);
#else
    std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
  }

  static void heavy() noexcept;

  /// True if both sides are fences. Does not change after initialise().
  [[nodiscard]] static bool is_symmetric() noexcept {
    return symmetric_.load(std::memory_order_relaxed);
  }

  /// Registers the process for membarrier. Until then both sides are symmetric. A scheduler calls
  /// it before it starts its first worker, so that no light() of the asymmetric kind ever meets a
  /// heavy() of the symmetric kind.
  static void initialise() noexcept;

 private:
  // true -> false by initialise(), when it has registered the process with the kernel; never back.
  static std::atomic<bool> symmetric_;
};

}  // namespace magpie::detail
