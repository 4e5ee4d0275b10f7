#pragma once

#include <list>
#include <magpie/detail/job.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/thread_mutex.hpp>
#include <magpie/task_handle.hpp>
#include <optional>

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
  /// Takes the oldest callback. If there is none, notes that this job is done.
  [[nodiscard]] std::optional<entry> take_next() noexcept;
  void run(entry& due) noexcept;

  task_state_base& owner_;
  thread_mutex mutex_;
  std::list<entry> entries_ MAGPIE_GUARDED_BY(mutex_);
  // The task has ended, as far as this object knows.
  bool ended_ MAGPIE_GUARDED_BY(mutex_) = false;
  bool submitted_ MAGPIE_GUARDED_BY(mutex_) = false;  // this job is queued or runs
};

}  // namespace magpie::detail
