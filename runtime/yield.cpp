#include <magpie/yield.hpp>

namespace magpie::detail {

void yield_awaiter::await_suspend(std::coroutine_handle<> suspended) {
  worker& here = *worker::current();
  resumption_.prepare(suspended, here);
  here.make_ready(resumption_);
}

}  // namespace magpie::detail
