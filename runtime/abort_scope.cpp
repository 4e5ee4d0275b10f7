#include <magpie/detail/abort_scope.hpp>

#include <mutex>

namespace magpie::detail {

void abort_scope::abort() noexcept {
  {
    const lock_guard<cancel_scope> guard(*this);
    mark_requested();
  }
  tell();
}

continuation abort_scope::begin(std::coroutine_handle<> awaiting,
                                end_function when_ended) noexcept {
  enter(awaiting, when_ended);
  // A request that is still new may be delivered to the body.
  requests_before_ = parent().requests_known_to(awaiting);
  return continuation(static_cast<nested_scope&>(*this));
}

void abort_scope::rethrow_unless_to_blame() {
  if (!has_begun()) throw;
  rethrow_if_asked_from_outside();
  if (!is_aborted()) throw;
}

void abort_scope::rethrow_if_asked_from_outside() {
  if (!was_asked_from_outside()) return;
  parent().deliver_or_pass(awaiter());
  throw;
}

void abort_scope::ask_again() noexcept {
  if (has_begun() && was_asked_from_outside()) parent().ask_again(awaiter());
}

}  // namespace magpie::detail
