#pragma once

namespace magpie::detail {

/// Throws invalid_state: "magpie: expected " and then `expected`.
[[noreturn]] void throw_invalid_state(const char* expected);

}  // namespace magpie::detail
