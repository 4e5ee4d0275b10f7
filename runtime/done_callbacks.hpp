#pragma once

#include <list>
#include <magpie/detail/job.hpp>
#include <magpie/task_handle.hpp>
#include <mutex>

namespace magpie::detail {

/// The done callbacks of one task, and the job that runs them. Made with the task's extras. The job
/// is in at most one queue at a time, so the callbacks run one after the other, in order of
/// registration.
class done_callbacks : public job {
 public:
  explicit done_callbacks(task_state_base& owner) noexcept : job(&run_all), owner_(owner) {}

  /// Adds a callback. Returns true if the task has ended and the caller must submit this job.
  [[nodiscard]] bool add(done_callback_id id, done_callback callback);

  /// Removes a callback. Returns how many it removed: 1, or 0 if the callback has started or was
  /// removed before.
  std::size_t remove(done_callback_id id);

  /// Undoes an add() that returned true, if the job cannot be submitted.
  void withdraw(done_callback_id id);

  /// Notes that the task has ended. Returns true if the caller must submit this job.
  [[nodiscard]] bool task_ended() noexcept;

 private:
  struct entry {
    done_callback_id id;
    done_callback callback;
  };

  static void run_all(job& self, worker& here) noexcept;
  void run(entry& due) noexcept;

  task_state_base& owner_;
  std::mutex mutex_;  // guards all below
  std::list<entry> entries_;
  bool ended_ = false;      // the task has ended, as far as this object knows
  bool submitted_ = false;  // this job is queued or runs
};

}  // namespace magpie::detail
