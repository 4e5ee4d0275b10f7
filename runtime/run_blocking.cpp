#include <magpie/run_blocking.hpp>

#include <magpie/scheduler.hpp>

#include "runtime/blocking_pool.hpp"
#include "runtime/runtime_core.hpp"

namespace magpie::detail {

void blocking_call_base::make() noexcept {
  try {
    call_(*this);
  } catch (...) {
    failure_ = std::current_exception();
  }
  home_->submit(resumption_);
}

void blocking_call_base::submit(std::coroutine_handle<> suspended) {
  worker& here = *worker::current();
  home_ = &here.home();
  resumption_.prepare(suspended, here);
  runtime_core::of(here).blocking.submit(*this);
}

void blocking_call_base::rethrow_failure() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace magpie::detail
