#include <magpie/detail/region.hpp>

#include <magpie/detail/cancel_round.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/task_state.hpp>

#include "runtime/runtime_core.hpp"

namespace magpie::detail {

std::coroutine_handle<> region::note_end() noexcept {
  has_ended_ = true;
  if (holders_ == 0) return awaiter();
  resumption_.coroutine = awaiter();
  resumption_.scope = &parent();
  return std::noop_coroutine();
}

void region::notify_and_let_go() noexcept {
  scheduler& jobs = home();
  cancel_round().finish(*this, rest_.place);
  if (job* const awaiter = lock_and_let_go()) jobs.submit(*awaiter);
}

/// What may take long, or is a user's code, must not delay other timers. Nor may it wait for a
/// worker: each may be in a computation that looks at a stop token. A thread that drives the
/// runtime itself does everything.
job* region::notify_in_part() noexcept {
  runtime_core& core = *task_of(*this).home();
  if (!core.is_driven()) {
    if (cancel_round().begin(*this, rest_.place)) return lock_and_let_go();
    try {
      core.rounds.submit(rest_);
      return nullptr;
    } catch (...) {  // there is no memory, or no thread: better late timers than no end
    }
  }
  cancel_round().finish(*this, rest_.place);
  return lock_and_let_go();
}

void region::rest_of_round::finish(pool_job& self) noexcept {
  static_cast<rest_of_round&>(self).where->notify_and_let_go();
}

job* region::lock_and_let_go() noexcept {
  const lock_guard<cancel_scope> guard(*this);
  return let_go();
}

scheduler& region::home() noexcept { return scheduler_of(*this); }

}  // namespace magpie::detail
