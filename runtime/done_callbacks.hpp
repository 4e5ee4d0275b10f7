#pragma once

#include <list>
#include <magpie/detail/job.hpp>
#include <magpie/task_handle.hpp>
#include <mutex>

namespace magpie::detail {

/// The done callbacks of one task, made when the first is added. Also the job that runs them: at
/// most once in a queue at a time, so they run one after the other, in order of registration.
class done_callbacks : public job {
 public:
  explicit done_callbacks(task_state_base& owner) noexcept : job(&run_all), owner_(owner) {}

  /// Adds a callback. True when the task has ended and the caller must submit this job.
  [[nodiscard]] bool add(done_callback_id id, done_callback callback);

  /// How many it removed: 1, or 0 when the callback has been started or removed already.
  std::size_t remove(done_callback_id id);

  /// Undoes an add() that said true, when the job cannot be submitted.
  void withdraw(done_callback_id id);

  /// The task has ended. True when the caller must submit this job.
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
  bool ended_ = false;      // the task has ended, as far as this object was told
  bool submitted_ = false;  // this job is on its way or runs
};

}  // namespace magpie::detail
