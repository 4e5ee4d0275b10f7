#pragma once

#include <atomic>
#include <magpie/detail/asymmetric_fence.hpp>

namespace magpie::detail {

/// The synchronisation that a lock-free part is built from, as one template parameter: here the
/// standard library, in tests/model the model checker's instrumented types.
struct standard_sync {
  template <class T>
  using atomic = std::atomic<T>;

  static void light_fence() noexcept { asymmetric_fence::light(); }
  static void light_half() noexcept { asymmetric_fence::light_half(); }
  static bool is_symmetric() noexcept { return asymmetric_fence::is_symmetric(); }
  /// Lets other threads run while the caller waits for one of them.
  static void pause() noexcept;
  static void heavy_fence() noexcept { asymmetric_fence::heavy(); }
};

}  // namespace magpie::detail
