#include <magpie/yield.hpp>

#include <magpie/detail/delivery.hpp>

namespace magpie::detail {

void requeue_awaiter::await_suspend(task_coroutine suspended) {
  worker& here = worker::here();
  resumption_.prepare(suspended, here);
  here.make_ready(resumption_);
}

void requeue_awaiter::await_resume() { deliver_or_pass(*resumption_.scope, resumption_.coroutine); }

}  // namespace magpie::detail
