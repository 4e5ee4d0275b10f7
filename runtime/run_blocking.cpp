#include <magpie/run_blocking.hpp>

#include <magpie/detail/scheduler.hpp>

#include "runtime/blocking_pool.hpp"
#include "runtime/local_values.hpp"
#include "runtime/runtime_core.hpp"

namespace magpie::detail {

void blocking_call_base::make(pool_job& self) noexcept {
  auto& call = static_cast<blocking_call_base&>(self);
  const stage seen = call.stage_.load(std::memory_order_acquire);
  if (seen == stage::submitted || seen == stage::awaited) {
    const lent_locals of_task(call.locals_);
    try {
      call.call_(call);
    } catch (...) {
      call.failure_ = std::current_exception();
    }
  }
  switch (call.stage_.exchange(stage::ended, std::memory_order_acq_rel)) {
    case stage::awaited:
      call.wait_->home().submit(*call.wait_);
      break;
    case stage::released:
      call.dispose_(call);
      break;
    case stage::submitted:
    case stage::withdrawn:
    case stage::ended:
      break;
  }
}

/// Submits the call to the pool first, which may take long, and may fail. Only afterwards can a
/// cancel request wake the task, and only if the call has not ended.
bool blocking_wait::await_suspend(task_coroutine suspended) {
  if (!lock_to_wait(suspended)) return false;
  scope->unlock();
  call_->locals_ = current_locals();
  call_->wait_ = this;
  runtime_core::of(worker::here()).blocking.submit(*call_);
  is_submitted_ = true;
  return suspend(suspended, [this] {
    auto seen = blocking_call_base::stage::submitted;
    return call_->stage_.compare_exchange_strong(seen, blocking_call_base::stage::awaited,
                                                 std::memory_order_acq_rel);
  });
}

bool blocking_wait::withdraw() noexcept {
  auto seen = blocking_call_base::stage::awaited;
  return call_->stage_.compare_exchange_strong(seen, blocking_call_base::stage::withdrawn,
                                               std::memory_order_acq_rel);
}

void blocking_wait::resume_after_call() {
  if (is_submitted_ &&
      call_->stage_.load(std::memory_order_acquire) != blocking_call_base::stage::ended) {
    abandon();
  }
  resume();
  if (call_->failure_) std::rethrow_exception(std::exchange(call_->failure_, nullptr));
}

/// The task no longer waits for the call. Stop callbacks are a user's code, so no lock is held
/// here.
void blocking_wait::abandon() noexcept {
  if (runtime_core::of(worker::here()).blocking.withdraw(*call_)) return;
  call_->stop_.request_stop();
  const auto before =
      call_->stage_.exchange(blocking_call_base::stage::released, std::memory_order_acq_rel);
  if (before != blocking_call_base::stage::ended) call_ = nullptr;
}

}  // namespace magpie::detail
