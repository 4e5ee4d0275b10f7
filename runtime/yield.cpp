#include <magpie/yield.hpp>

namespace magpie::detail {

void requeue_awaiter::await_suspend(task_coroutine suspended) {
  worker& here = worker::here();
  resumption_.prepare(suspended, here);
  here.make_ready(resumption_);
}

void requeue_awaiter::await_resume() { resumption_.scope->deliver_or_pass(resumption_.coroutine); }

}  // namespace magpie::detail
