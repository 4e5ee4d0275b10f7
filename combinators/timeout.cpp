#include <magpie/timeout.hpp>

#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/scheduler.hpp>

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
  return has_ended() ? time_point{} : home().now();
}

bool timeout_scope::reschedule(time_point deadline) {
  bool is_over = false;
  {
    const detail::lock_guard<cancel_scope> guard(*this);
    if (!has_begun()) {  // what makes the body calls, on the thread that will begin the scope
      set_own_deadline(deadline);
      return true;
    }
    if (has_ended() || expired()) {
      detail::throw_invalid_state("a timeout to reschedule that has neither expired nor been left");
    }
    if (has_own_request() && (has_notified_ || !try_take_back_own_request())) return false;
    if (is_arming_ || (is_armed_ && !try_disarm(home()))) return false;
    set_own_deadline(deadline);
    if (deadline == time_point::max()) return true;
    hold();
    is_over = deadline <= home().now();
    if (is_over) {
      mark_requested();
      has_notified_ = true;
    } else {
      hold();
      is_armed_ = true;
      is_arming_ = true;
    }
  }
  if (is_over) {
    notify_and_let_go();
  } else {
    arm_anew(deadline);
  }
  return true;
}

/// Without the lock, which the fired timer takes.
void timeout_scope::arm_anew(time_point deadline) noexcept {
  detail::scheduler& jobs = home();
  jobs.arm(*this, deadline);
  detail::job* awaiter = nullptr;
  {
    const detail::lock_guard<cancel_scope> guard(*this);
    is_arming_ = false;
    if (has_ended() && is_armed_) static_cast<void>(try_disarm(jobs));
    awaiter = let_go();
  }
  if (awaiter != nullptr) jobs.submit(*awaiter);
}

bool timeout_scope::try_disarm(detail::scheduler& timers) noexcept {
  if (!timers.disarm(*this)) return false;
  is_armed_ = false;
  static_cast<void>(let_go());  // the caller holds the scope, too, or the body runs
  return true;
}

detail::continuation timeout_scope::begin(std::coroutine_handle<> awaiting,
                                          time_point now) noexcept {
  const detail::continuation after_body = region::begin(awaiting, &go_on);
  if (own_deadline() <= now) {  // the body is told of it where it first suspends
    const detail::lock_guard<cancel_scope> guard(*this);
    mark_requested();
  } else if (own_deadline() != time_point::max()) {
    is_armed_ = true;
    hold();
    detail::worker::here().home().arm(*this, own_deadline());
  }
  return after_body;
}

std::coroutine_handle<> timeout_scope::go_on(detail::end_hook& self,
                                             const detail::failure_word&) noexcept {
  auto& scope = static_cast<timeout_scope&>(self);
  const detail::lock_guard<cancel_scope> guard(scope);
  if (scope.is_armed_ && !scope.is_arming_) {
    static_cast<void>(scope.try_disarm(detail::worker::here().home()));
  }
  return scope.note_end();
}

detail::job* timeout_scope::expire(timer& self) noexcept {
  auto& scope = static_cast<timeout_scope&>(self);
  {
    const detail::lock_guard<cancel_scope> guard(scope);
    scope.is_armed_ = false;
    if (scope.has_ended()) return scope.let_go();
    scope.mark_requested();
    scope.has_notified_ = true;
    scope.has_fired_.store(true, std::memory_order_release);
  }
  return scope.notify_in_part();
}

std::optional<time_point> current_deadline() {
  const detail::worker& here =
      detail::this_worker("current_deadline() to be asked by a task on a runtime");
  const time_point earliest = detail::this_scope(here).earliest_deadline();
  if (earliest == time_point::max()) return std::nullopt;
  return earliest;
}

}  // namespace magpie
