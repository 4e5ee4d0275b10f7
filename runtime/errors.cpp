#include <magpie/errors.hpp>

#include <magpie/detail/misuse.hpp>

namespace magpie::detail {

void throw_invalid_state(const char* expected) {
  throw invalid_state(std::string("magpie: expected ") + expected);
}

}  // namespace magpie::detail
