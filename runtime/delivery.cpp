#include <magpie/detail/delivery.hpp>

#include <algorithm>
#include <cstdint>
#include <magpie/detail/branch.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/errors.hpp>

namespace magpie::detail {

cancel_scope::source deliver(cancel_scope& scope, std::coroutine_handle<> at) noexcept {
  if (scope.due() == 0) return cancel_scope::source::none;
  const std::uint64_t told = told_to(at);
  if (scope.due() <= told) return cancel_scope::source::none;
  const auto [from, last] = scope.note_delivery(told);
  if (from != cancel_scope::source::none) set_told(at, last);
  return from;
}

void throw_cancelled(cancel_scope& scope, cancel_scope::source from) {
  if (from != cancel_scope::source::task) throw magpie::cancelled();
  throw magpie::cancelled(task_of(scope).cancel_reason());
}

void deliver_or_pass_slowly(cancel_scope& scope, std::coroutine_handle<> at) {
  const cancel_scope::source from = deliver(scope, at);
  if (from != cancel_scope::source::none) throw_cancelled(scope, from);
}

void undo_delivery(cancel_scope& scope, std::coroutine_handle<> at) noexcept {
  const std::uint64_t last = scope.due();
  if (last != 0) set_told(at, std::min(told_to(at), last - 1));
}

}  // namespace magpie::detail
