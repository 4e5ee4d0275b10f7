#pragma once

namespace magpie::detail {

// In place of the layer's: a model does not fork.
struct forked_process {
  static void check() noexcept {}
};

}  // namespace magpie::detail
