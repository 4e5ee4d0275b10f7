#pragma once

#include <magpie/sanitizers.hpp>

#if MAGPIE_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
#endif

namespace magpie::test {

/// What its thread allocates while this lives is meant to be left behind, and no leak.
class left_behind {
 public:
#if MAGPIE_ADDRESS_SANITIZER
  left_behind() noexcept { __lsan_disable(); }
  ~left_behind() { __lsan_enable(); }
#else
  left_behind() noexcept {}
  ~left_behind() {}
#endif
  left_behind(const left_behind&) = delete;
  left_behind& operator=(const left_behind&) = delete;
};

}  // namespace magpie::test
