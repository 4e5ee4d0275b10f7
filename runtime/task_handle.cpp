#include <magpie/task_handle.hpp>

#include <magpie/scheduler.hpp>

namespace magpie::detail {

handle_awaiter_base::handle_awaiter_base(task_state_base& awaited) noexcept
    : waiter(&wake), awaited_(awaited) {}

bool handle_awaiter_base::await_ready() const {
  const worker& here = this_worker("a handle to be awaited in a task on a runtime");
  if (here.task == &awaited_) throw_invalid_state("a task to await another task, not itself");
  return awaited_.is_done();
}

bool handle_awaiter_base::await_suspend(std::coroutine_handle<> suspended) {
  worker& here = *worker::current();
  home_ = &here.home();
  resumption_.prepare(suspended, here);
  return awaited_.add_waiter(*this) == task_state_base::wait_result::registered;
}

void handle_awaiter_base::wake(waiter& self) noexcept {
  auto& awaiter = static_cast<handle_awaiter_base&>(self);
  awaiter.home_->submit(awaiter.resumption_);
}

}  // namespace magpie::detail
