#pragma once

#include <coroutine>
#include <magpie/job.hpp>
#include <magpie/worker.hpp>

namespace magpie::detail {

/// The job that resumes a suspended coroutine, as part of the task that it was suspended in. Lives
/// in the awaiter.
struct resumption : job {
  resumption() noexcept : job(&resume) {}

  /// In await_suspend, before the job is handed to anybody.
  void prepare(std::coroutine_handle<> suspended, worker& here) noexcept {
    coroutine = suspended;
    task = here.task;
  }

  std::coroutine_handle<> coroutine;
  void* task = nullptr;

 private:
  static void resume(job& self, worker& here) noexcept {
    auto& resumed = static_cast<resumption&>(self);
    here.task = resumed.task;
    resumed.coroutine.resume();
  }
};

/// The worker that runs the caller. Throws invalid_state when the caller is not a task on a worker;
/// `expected` completes the sentence.
[[nodiscard]] worker& this_worker(const char* expected);

}  // namespace magpie::detail
