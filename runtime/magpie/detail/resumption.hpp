#pragma once

#include <coroutine>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/misuse.hpp>
#include <magpie/detail/wait_list.hpp>
#include <magpie/detail/worker.hpp>

namespace magpie::detail {

/// The job that resumes a suspended coroutine in the scope in which it was suspended. Lives in the
/// awaiter.
struct resumption : waiter {
  resumption() noexcept : waiter(&resume) {}

  /// For await_suspend, before another thread can find the job.
  void prepare(std::coroutine_handle<> suspended, const worker& here) noexcept {
    coroutine = suspended;
    scope = static_cast<cancel_scope*>(here.context());
  }

  std::coroutine_handle<> coroutine;

 private:
  static void resume(job& self, worker& here) noexcept {
    auto& resumed = static_cast<resumption&>(self);
    here.set_context(resumed.scope);
    resumed.coroutine.resume();
  }
};

/// Returns the worker that runs the caller. Throws invalid_state if the caller is not a task on a
/// worker; `expected` completes the message.
[[nodiscard]] inline worker& this_worker(const char* expected) {
  worker* const here = worker::current();
  if (here == nullptr || here->context() == nullptr) [[unlikely]]
    throw_invalid_state(expected);
  return *here;
}

/// Returns the scope in which the caller, a task on a worker, runs.
[[nodiscard]] inline cancel_scope& this_scope(const worker& here) noexcept {
  return *static_cast<cancel_scope*>(here.context());
}

}  // namespace magpie::detail
