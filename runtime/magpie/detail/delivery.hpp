#pragma once

#include <coroutine>
#include <magpie/detail/cancel_scope.hpp>

// The delivery of cancel requests to a coroutine, `at`, which is in `scope` and at a point of
// delivery: a suspension, or a checkpoint. Each request is delivered once to each branch.

namespace magpie::detail {

/// Delivers the requests of which the branch of `at` has not been told. Returns the outermost
/// source of them.
[[nodiscard]] cancel_scope::source deliver(cancel_scope& scope,
                                           std::coroutine_handle<> at) noexcept;

/// Throws `cancelled` for requests that have been delivered.
[[noreturn]] void throw_cancelled(cancel_scope& scope, cancel_scope::source from);

void deliver_or_pass_slowly(cancel_scope& scope, std::coroutine_handle<> at);

/// deliver(), and throws `cancelled` if there was a request.
inline void deliver_or_pass(cancel_scope& scope, std::coroutine_handle<> at) {
  if (scope.due() != 0) [[unlikely]]
    deliver_or_pass_slowly(scope, at);
}

/// Undoes the last delivery to the branch of `at`: the last request will be delivered again.
void undo_delivery(cancel_scope& scope, std::coroutine_handle<> at) noexcept;

}  // namespace magpie::detail
