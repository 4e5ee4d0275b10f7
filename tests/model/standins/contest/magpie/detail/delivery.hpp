#pragma once

#include <coroutine>
#include <magpie/detail/abort_scope.hpp>

namespace magpie::detail {

inline void deliver_or_pass(cancel_scope&, std::coroutine_handle<>) noexcept {}

}  // namespace magpie::detail
