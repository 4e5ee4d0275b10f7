#include <magpie/detail/abort_scope.hpp>

#include <magpie/detail/branch.hpp>
#include <magpie/detail/cancel_round.hpp>

namespace magpie::detail {

void abort_scope::abort() noexcept {
  {
    const lock_guard<cancel_scope> guard(*this);
    mark_requested();
  }
  cancel_round().notify(*this);
}

continuation abort_scope::begin(std::coroutine_handle<> awaiting,
                                end_function when_ended) noexcept {
  last_before_ = enter(awaiting, when_ended);
  if (last_before_ != 0) told_before_ = told_to(awaiting);
  return continuation(static_cast<end_hook&>(*this));
}

void abort_scope::end() noexcept {
  if (const auto told = leave()) set_told(awaiter(), *told);
}

void abort_scope::rethrow_unless_to_blame() {
  if (!has_begun() || !is_aborted() || was_asked_from_outside()) throw;
}

}  // namespace magpie::detail
