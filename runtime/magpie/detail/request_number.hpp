#pragma once

#include <cstdint>

namespace magpie::detail {

/// Returns the number of a cancel request in a scope. It is greater than all that were returned
/// before in the process, and never 0. Called with that scope's lock held: then nobody in the scope
/// has been told of a greater number.
[[nodiscard]] std::uint64_t next_request_number() noexcept;

}  // namespace magpie::detail
