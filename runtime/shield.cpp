#include <magpie/shield.hpp>

#include <thread>

namespace magpie::detail {

bool shielded_wait::await_ready() const {
  return is_done_for_another(awaited_, "a shield to be awaited in a task on a runtime");
}

/// Holds both locks while the wait enters its scope and the task's list of waiters. Otherwise a
/// request could come between the two and take the wait for one that is over. The second lock is
/// only tried, as always with the locks of two tasks.
bool shielded_wait::await_suspend(task_coroutine suspended) {
  for (;;) {
    if (!lock_to_wait(suspended)) return false;
    enter_scope();
    const auto added = awaited_.try_add_waiter(*this);
    if (added != task_state_base::addition::added) leave_locked_scope();
    scope->unlock();
    if (added == task_state_base::addition::added) return true;
    if (added == task_state_base::addition::already_done) return false;
    std::this_thread::yield();
  }
}

constexpr leaf_wait::operations shielded_wait::shielded_operations{&stop_waiting,
                                                                   &describe_as<shielded_wait>};

void shielded_wait::stop_waiting(scope_member& self, cancel_round& round) noexcept {
  auto& wait = static_cast<shielded_wait&>(self);
  wait.scope->assume_locked();
  if (!wait.is_news()) return;
  switch (wait.awaited_.try_remove_waiter(wait)) {
    case task_state_base::removal::removed:
      wait.submit_withdrawn();
      break;
    case task_state_base::removal::lock_not_free:
      round.come_again();
      break;
    case task_state_base::removal::not_there:
      break;
  }
}

}  // namespace magpie::detail
