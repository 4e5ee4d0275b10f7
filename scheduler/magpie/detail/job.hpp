#pragma once

namespace magpie::detail {

class worker;

/// Something a worker can run: all that the scheduler knows of a task. A job is embedded in what
/// it drives (an awaiter, a task's state, a join), so queueing it allocates nothing.
///
/// A job is in at most one queue or list at a time. Whoever takes it out owns it, and `run` may
/// destroy the memory it lies in.
struct job {
  using function = void (*)(job&, worker&) noexcept;

  explicit job(function run_function) noexcept : run(run_function) {}

  function run;
  job* next;  // for whatever list it is in; nothing otherwise
};

}  // namespace magpie::detail
