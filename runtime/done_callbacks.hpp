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

  /// Adds a callback. If the task has ended, submits this job to the task's runtime; throws
  /// invalid_state if that has ended or accepts nothing more. Throws std::bad_alloc. When it
  /// throws, the callback has not been added. What it has added runs.
  void add(done_callback_id id, done_callback callback);

  /// Removes a callback. Returns how many it removed: 1, or 0 if the callback has started or was
  /// removed before.
  std::size_t remove(done_callback_id id);

  /// Notes that the task has ended: called once, by the worker that has published the end, or by
  /// the maker of this object if the task had ended before. Returns true if there are callbacks;
  /// then the caller registers a task for this job and submits it.
  [[nodiscard]] bool task_ended() noexcept;
  void submit_to(runtime_core& home) noexcept;

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
  bool ended_ MAGPIE_GUARDED_BY(mutex_) = false;      // task_ended() has been called
  bool submitted_ MAGPIE_GUARDED_BY(mutex_) = false;  // this job is queued or runs
};

}  // namespace magpie::detail
