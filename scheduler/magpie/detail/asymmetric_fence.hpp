#pragma once

#include <atomic>

namespace magpie::detail {

/// A store-load fence paid by one side only. Two threads that each store their own flag and then
/// load the other's may both miss each other unless both put a full fence between (Dekker's
/// problem). Here the frequent side runs light(), a compiler barrier, and the rare side runs
/// heavy(), which makes every running thread of the process execute a full fence before it returns
/// (Linux membarrier(2), PRIVATE_EXPEDITED): whichever side is later sees the other.
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

  /// light() where nothing depends on it while is_symmetric(). With MAGPIE_FORK_FENCE it is a
  /// full fence all the same, to show what that costs.
  static void light_half() noexcept {
#ifdef MAGPIE_FORK_FENCE
    std::atomic_thread_fence(std::memory_order_seq_cst);
#else
    std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
  }

  static void heavy() noexcept;

  /// Whether both sides are fences. Does not change any more after initialise().
  [[nodiscard]] static bool is_symmetric() noexcept {
    return symmetric_.load(std::memory_order_relaxed);
  }

  /// Asks the kernel for membarrier, once a process; until then both sides are symmetric. Called
  /// before the first worker starts, so that no light() of the asymmetric kind ever meets a
  /// heavy() of the symmetric kind.
  static void initialise() noexcept;

 private:
  // true until initialise() has registered the process with the kernel, then false for good.
  static std::atomic<bool> symmetric_;
};

}  // namespace magpie::detail
