#include <magpie/sleep.hpp>

#include <magpie/errors.hpp>
#include <magpie/scheduler.hpp>

namespace magpie::detail {

void sleep_awaiter::await_suspend(std::coroutine_handle<> suspended) {
  worker& here = *worker::current();
  resumption_.prepare(suspended, here);
  if (deadline_ <= clock::now()) {
    here.make_ready(resumption_);
  } else {
    here.home().arm(timer_, deadline_);
  }
}

void sleep_awaiter::await_resume() const {
  if (timer_.outcome == timer::state::flushed) throw cancelled("the runtime is being destroyed");
}

}  // namespace magpie::detail
