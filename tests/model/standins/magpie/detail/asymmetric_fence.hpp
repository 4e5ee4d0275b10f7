#pragma once

#include "relacy_sync.hpp"

namespace magpie::detail {

/// In place of membarrier: both halves are full fences.
class asymmetric_fence {
 public:
  static void light(std::source_location where = std::source_location::current()) noexcept {
    model::relacy_sync::light_fence(where);
  }
  static void heavy(std::source_location where = std::source_location::current()) noexcept {
    model::relacy_sync::heavy_fence(where);
  }
};

}  // namespace magpie::detail
