#include <magpie/detail/check.hpp>

#include <cstdio>
#include <cstdlib>

namespace magpie::detail {

void check_failed(const char* condition, const char* expected, const char* file,
                  int line) noexcept {
  std::fprintf(stderr, "magpie: expected %s (%s is false at %s:%d)\n", expected, condition, file,
               line);
  std::abort();
}

}  // namespace magpie::detail
