#pragma once

#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/statistics.hpp>
#include <magpie/task.hpp>
#include <magpie/task_handle.hpp>
#include <magpie/task_state.hpp>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace magpie {

/// Prints one line on stderr: the task's name and what() of its failure.
void print_unobserved(const unobserved_failure& failure) noexcept;

/// A task that has kept its worker for long, as it reaches runtime_options::on_long_run.
struct long_run {
  std::string_view task_name;
  duration so_far;
};

using long_run_hook = void (*)(const long_run&) noexcept;

/// Prints one line on stderr: the task's name and the time.
void print_long_run(const long_run& run) noexcept;

struct runtime_options {
  static constexpr std::size_t automatic = static_cast<std::size_t>(-1);

  static constexpr std::size_t most_workers = 4096;

  /// Worker threads. automatic: as many as the process may use, by CPU affinity and cgroup quota.
  std::size_t workers = automatic;

  /// Threads for run_blocking() that may exist at once; they are started as needed.
  std::size_t max_blocking_threads = 64;

  /// Keeps each worker on one processor of those that the process may use, in turns. For machines
  /// that run nothing else; elsewhere a pinned worker waits for whatever else runs there.
  bool pin = false;

  /// A task that has neither suspended nor ended for this long is told to on_long_run, once each
  /// time; it keeps others from running, and belongs cut in pieces or into run_blocking(). To the
  /// millisecond, not below. The default never tells.
  duration long_run_limit = duration::max();

  /// Called on the thread that keeps the time, so it must be quick, and must not throw.
  long_run_hook on_long_run = &print_long_run;

  /// Told once of each task whose failure nobody asked for, on the thread that lets go of the task
  /// last, and of what a done callback throws. It must not throw.
  unobserved_hook on_unobserved = &print_unobserved;
};

namespace detail {

/// Gives `body` a state in `core` and makes it ready.
template <class T>
task_handle<T> launch(runtime_core& core, task<T>&& body, const spawn_options& options) {
  if (!body)
    throw_invalid_state("a task to spawn that has not been awaited, spawned or moved from");
  task_state<T>& state = task_state<T>::make(body);
  state.launch(core, options);
  return handle_access::adopt<task_handle<T>>(state);
}

/// The same for many, which are published together, with one wake-up. All or none.
template <class T>
std::vector<task_handle<T>> launch_all(runtime_core& core, std::vector<task<T>>&& bodies,
                                       const spawn_options& options) {
  for (const task<T>& each : bodies) {
    if (!each)
      throw_invalid_state("tasks to spawn that have not been awaited, spawned or moved from");
  }
  std::vector<task_handle<T>> handles;
  handles.reserve(bodies.size());
  new_tasks states(bodies.size());
  for (task<T>& each : bodies) states.add(task_state<T>::make(each));
  for (task_state_base* const each : states.launch(core, options)) {
    handles.push_back(handle_access::adopt<task_handle<T>>(static_cast<task_state<T>&>(*each)));
  }
  return handles;
}

/// The runtime of the task that calls. Throws invalid_state elsewhere.
[[nodiscard]] runtime_core& current_core();

}  // namespace detail

/// A pool of workers that runs tasks. Several may live in one process; tasks of one may await
/// handles of another.
class runtime {
 public:
  /// Starts the workers. Throws invalid_state for options out of range, std::system_error when a
  /// thread cannot be started, std::bad_alloc.
  explicit runtime(const runtime_options& options = {});

  /// Cancels all tasks that are left, waits for their end and for that of those that they spawn
  /// meanwhile, for which a sleep ends at once with `cancelled`; then joins the threads. Blocks as
  /// long as that takes. Not on one of its own workers, and not while other threads still use it.
  /// Handles stay valid.
  ~runtime();

  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs `body` as a spawned task and blocks the calling thread until it has ended: returns its
  /// result or throws what it threw. Other tasks go on meanwhile and after.
  ///
  /// Any thread that is not a worker (of any runtime); there, and for an empty task, it throws
  /// invalid_state and `body` is destroyed without having started.
  template <class T>
  T block_on(task<T> body) {
    check_may_block();
    task_handle<T> handle = spawn(std::move(body), {.name = "block_on"});
    detail::handle_access::state(handle).wait();
    // The handle is known to nobody else; an untyped one from all_tasks() sees no result.
    return detail::move_result(handle);
  }

  /// Starts `body` as a task of its own, which runs to its end whether its handles are kept or not.
  /// It does not run on the calling thread before spawn returns.
  ///
  /// Any thread. What the caller did before happens before the task's first step. Throws
  /// invalid_state for an empty task and when all tasks of a runtime that is being destroyed have
  /// ended, std::bad_alloc; then `body` is destroyed without having
  /// started. In asyncio: `asyncio.create_task(...)`.
  template <class T>
  task_handle<T> spawn(task<T> body, spawn_options options = {}) {
    return detail::launch(*core_, std::move(body), options);
  }

  /// spawn() for many at once, in order, all with the same options: they are published together,
  /// and one sleeping worker is woken for all; it wakes the next. Returns their handles in order.
  /// When it throws, none of them starts.
  template <class T>
  std::vector<task_handle<T>> spawn_many(std::vector<task<T>> bodies, spawn_options options = {}) {
    return detail::launch_all(*core_, std::move(bodies), options);
  }

  [[nodiscard]] std::size_t worker_count() const noexcept;
  [[nodiscard]] runtime_statistics statistics() const;

  /// Handles of the tasks that are not done at this moment. Any thread.
  [[nodiscard]] std::vector<any_task_handle> all_tasks() const;

 private:
  static void check_may_block();

  const std::unique_ptr<detail::runtime_core> core_;
};

/// runtime::spawn() on the runtime whose task is calling. Throws invalid_state elsewhere.
template <class T>
task_handle<T> spawn(task<T> body, spawn_options options = {}) {
  return detail::launch(detail::current_core(), std::move(body), options);
}

/// runtime::spawn_many() on the runtime whose task is calling. Throws invalid_state elsewhere.
template <class T>
std::vector<task_handle<T>> spawn_many(std::vector<task<T>> bodies, spawn_options options = {}) {
  return detail::launch_all(detail::current_core(), std::move(bodies), options);
}

/// The spawned task that is calling, right across awaits and migrations; an empty handle elsewhere.
/// In asyncio: `asyncio.current_task()`.
[[nodiscard]] any_task_handle current_task() noexcept;

}  // namespace magpie
