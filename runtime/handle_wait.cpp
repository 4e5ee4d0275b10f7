#include <magpie/detail/handle_wait.hpp>

#include <algorithm>
#include <cstdint>
#include <magpie/detail/branch.hpp>
#include <magpie/detail/cancel_round.hpp>
#include <magpie/detail/delivery.hpp>

namespace magpie::detail {

bool handle_wait::suspend_until_end(std::coroutine_handle<> suspended) noexcept {
  while (!suspend(suspended, [this] { return awaited_.add_waiter(*this); })) {
    // The task has ended, or a request was delivered before the wait. That is forwarded all the
    // same, unless the task has ended.
    if (found() == cancel_scope::source::none) return false;
    if (!cancel_round(reason_found()).forward(*this)) return false;
    forget_found();
  }
  return true;
}

void handle_wait::notify(scope_member& self, cancel_round& round) noexcept {
  auto& wait = static_cast<handle_wait&>(self);
  wait.scope->assume_locked();
  if (wait.is_news()) round.add(wait);
}

void handle_wait::resume_after_end() {
  if (!is_in_scope()) return resume();
  const std::uint64_t due = leave();
  if (due == 0) return;
  if (due <= answered()) {
    set_told(coroutine, std::max(told_to(coroutine), due));
  } else {
    deliver_or_pass(*scope, coroutine);
  }
}

}  // namespace magpie::detail
