#pragma once

#include <magpie/detail/slot_pool.hpp>

#include "scheduler/depot.hpp"

namespace magpie::detail {

/// Returns the depot of the slots that no thread keeps. It is never destroyed.
[[nodiscard]] depot<slot_header>& slot_depot() noexcept;

}  // namespace magpie::detail
