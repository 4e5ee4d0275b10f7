#include <magpie/errors.hpp>

#include <magpie/detail/misuse.hpp>
#include <typeinfo>

namespace magpie::detail {

void throw_invalid_state(const char* expected) {
  throw invalid_state(std::string("magpie: expected ") + expected);
}

/// Not by rethrowing it, which would allocate.
bool is_cancellation(const std::exception_ptr& error) noexcept {
  return *error.__cxa_exception_type() == typeid(cancelled);
}

}  // namespace magpie::detail
