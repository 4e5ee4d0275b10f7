#include <magpie/yield.hpp>

namespace magpie::detail {

void yield_awaiter::await_suspend(std::coroutine_handle<> suspended) {
  worker& here = *worker::current();
  resumption_.prepare(suspended, here);
  here.make_ready(resumption_);
}

void yield_awaiter::await_resume() {
  if (resumption_.scope->is_requested()) resumption_.scope->deliver_or_pass(resumption_.coroutine);
}

}  // namespace magpie::detail
