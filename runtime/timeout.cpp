#include <magpie/timeout.hpp>

#include <magpie/detail/cancel_round.hpp>
#include <mutex>

#include "runtime/runtime_core.hpp"

namespace magpie {

std::optional<time_point> timeout_scope::deadline() noexcept {
  const detail::lock_guard<cancel_scope> guard(*this);
  if (own_deadline() == time_point::max()) return std::nullopt;
  return own_deadline();
}

/// By the time of the task's runtime, to which the calling thread may not belong.
time_point timeout_scope::now() noexcept {
  if (!has_begun()) return magpie::now();
  const detail::lock_guard<cancel_scope> guard(*this);
  return has_ended_ ? time_point{} : root().home()->jobs.now();
}

bool timeout_scope::reschedule(time_point deadline) {
  bool is_over = false;
  {
    const detail::lock_guard<cancel_scope> guard(*this);
    if (!has_begun()) {  // what makes the body calls, on the thread that will begin the scope
      set_own_deadline(deadline);
      return true;
    }
    if (has_ended_ || expired()) {
      detail::throw_invalid_state("a timeout to reschedule that has neither expired nor been left");
    }
    if (has_own_request() && (has_notified_ || !try_take_back_own_request())) return false;
    if (is_arming_ || (is_armed_ && !root().home()->jobs.disarm(*this))) return false;
    set_own_deadline(deadline);
    is_armed_ = deadline != time_point::max();
    if (!is_armed_) return true;
    is_over = deadline <= root().home()->jobs.now();
    if (is_over) {
      mark_requested();
      has_notified_ = true;
    } else {
      is_arming_ = true;
    }
  }
  detail::scheduler& home = root().home()->jobs;
  detail::job* awaiter = nullptr;
  if (is_over) {
    detail::cancel_round().notify(*this);
    awaiter = let_go();
  } else {
    home.arm(*this, deadline);  // without the lock, which the fired timer takes
    const detail::lock_guard<cancel_scope> guard(*this);
    is_arming_ = false;
    if (has_ended_ && is_armed_ && home.disarm(*this)) is_armed_ = false;
    awaiter = awaiter_if_free();
  }
  if (awaiter != nullptr) home.submit(*awaiter);
  return true;
}

detail::continuation timeout_scope::begin(std::coroutine_handle<> awaiting,
                                          time_point now) noexcept {
  const detail::continuation after_body = abort_scope::begin(awaiting, &go_on);
  if (own_deadline() <= now) {  // the body is told of it where it first suspends
    const detail::lock_guard<cancel_scope> guard(*this);
    mark_requested();
  } else if (own_deadline() != time_point::max()) {
    is_armed_ = true;
    detail::worker::here().home().arm(*this, own_deadline());
  }
  return after_body;
}

/// The timer may be on its way out of the wheel, or another thread may notify the members or arm
/// the timer. Then this scope must stay until that is over.
std::coroutine_handle<> timeout_scope::go_on(nested_scope& self) noexcept {
  auto& scope = static_cast<timeout_scope&>(self);
  const detail::lock_guard<cancel_scope> guard(scope);
  scope.has_ended_ = true;
  if (scope.is_armed_ && !scope.is_arming_ && detail::worker::here().home().disarm(scope)) {
    scope.is_armed_ = false;
  }
  if (scope.awaiter_if_free() != nullptr) return scope.awaiter();
  scope.resumption_.coroutine = scope.awaiter();
  scope.resumption_.scope = &scope.parent();
  return std::noop_coroutine();
}

detail::job* timeout_scope::expire(timer& self) noexcept {
  auto& scope = static_cast<timeout_scope&>(self);
  bool is_over = false;
  {
    const detail::lock_guard<cancel_scope> guard(scope);
    // At the end of the runtime all timers fire.
    is_over = !scope.has_ended_ && scope.outcome == state::expired;
    if (is_over) {
      scope.mark_requested();
      scope.has_notified_ = true;
      scope.has_fired_.store(true, std::memory_order_release);
    }
  }
  if (is_over && !scope.notify_at_expiry()) return nullptr;
  return scope.let_go();
}

/// What may take long, or is a user's code, must not delay other timers. Nor may it wait for a
/// worker: each may be in a computation that looks at a stop token. A thread that drives the
/// runtime itself does everything.
bool timeout_scope::notify_at_expiry() noexcept {
  detail::runtime_core& core = *root().home();
  if (!core.is_driven()) {
    if (detail::cancel_round().begin(*this, rest_.place)) return true;
    try {
      core.rounds.submit(rest_);
      return false;
    } catch (...) {  // there is no memory, or no thread: better late timers than no end
    }
  }
  detail::cancel_round().finish(*this, rest_.place);
  return true;
}

void timeout_scope::rest_of_round::finish(detail::pool_job& self) noexcept {
  auto& rest = static_cast<rest_of_round&>(self);
  detail::scheduler& home = rest.scope->root().home()->jobs;
  detail::cancel_round().finish(*rest.scope, rest.place);
  if (detail::job* const awaiter = rest.scope->let_go()) home.submit(*awaiter);
}

detail::job* timeout_scope::let_go() noexcept {
  const detail::lock_guard<cancel_scope> guard(*this);
  is_armed_ = false;
  return awaiter_if_free();
}

namespace detail {

std::uint64_t last_request_here() noexcept { return this_scope(worker::here()).due(); }

}  // namespace detail

std::optional<time_point> current_deadline() {
  const detail::worker& here =
      detail::this_worker("current_deadline() to be asked by a task on a runtime");
  const time_point earliest = detail::this_scope(here).earliest_deadline();
  if (earliest == time_point::max()) return std::nullopt;
  return earliest;
}

}  // namespace magpie
