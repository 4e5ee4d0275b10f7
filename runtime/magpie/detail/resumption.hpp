#pragma once

#include <coroutine>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/job.hpp>
#include <magpie/detail/misuse.hpp>
#include <magpie/detail/worker.hpp>

namespace magpie::detail {

/// Somebody who waits for something to happen, in a list linked by `next`. With a scope, a
/// coroutine that runs in it: it is to be made ready. Without one, anything else: it is to be run
/// at once by the worker that makes the thing happen, which may destroy it, and takes no longer
/// than setting a flag or handing a result over.
struct waiter : job {
  using job::job;

  cancel_scope* scope = nullptr;
};

/// The job that resumes a suspended coroutine, as part of what it was suspended in. Lives in the
/// awaiter.
struct resumption : waiter {
  resumption() noexcept : waiter(&resume) {}

  /// In await_suspend, before the job is handed to anybody.
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

/// The worker that runs the caller. Throws invalid_state when the caller is not a task on a worker;
/// `expected` completes the sentence.
[[nodiscard]] inline worker& this_worker(const char* expected) {
  worker* const here = worker::current();
  if (here == nullptr || here->context() == nullptr) [[unlikely]]
    throw_invalid_state(expected);
  return *here;
}

/// The scope that the caller, a task on a worker, runs in.
[[nodiscard]] inline cancel_scope& this_scope(const worker& here) noexcept {
  return *static_cast<cancel_scope*>(here.context());
}

}  // namespace magpie::detail
