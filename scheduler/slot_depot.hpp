#pragma once

#include <magpie/detail/slot_pool.hpp>

#include "scheduler/depot.hpp"

namespace magpie::detail {

/// The slots that no thread keeps. Lives for ever.
[[nodiscard]] depot<slot_header>& slot_depot() noexcept;

}  // namespace magpie::detail
