#pragma once

#include <magpie/detail/misuse.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/errors.hpp>

namespace magpie::detail {

[[nodiscard]] runtime_core& current_core();

}  // namespace magpie::detail
