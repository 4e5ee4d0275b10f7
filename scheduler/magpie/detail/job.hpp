#pragma once

namespace magpie::detail {

class worker;

/// Something that a worker can run; the scheduler knows no more of a task. A job is embedded in
/// what it drives (an awaiter, a task's state, a join), so queueing it allocates nothing.
///
/// A job is in at most one queue or list at a time. The thread that removes it owns it exclusively.
/// `run` may destroy the memory that the job lies in.
struct job {
  using function = void (*)(job&, worker&) noexcept;

  explicit job(function run_function) noexcept : run(run_function) {}

  function run;
  job* next;  // belongs to the list that holds the job; else unused
};

}  // namespace magpie::detail
