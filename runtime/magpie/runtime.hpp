#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/new_tasks.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/shutdown_report.hpp>
#include <magpie/statistics.hpp>
#include <magpie/task.hpp>
#include <magpie/task_handle.hpp>
#include <memory>
#include <optional>
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
  /// 0: none, and none that keeps the time: tasks run, and timers fire, on threads that call
  /// block_on(), poll_one(), run_for() or run_until(), one at a time.
  std::size_t workers = automatic;

  /// With virtual_time, which needs `workers` to be 0, time stands still while a task is ready, and
  /// then jumps to the next timer: hours pass in no time. It begins at time_point{}.
  time_source time = real_time;

  /// Without workers, the order in which ready tasks run: as they became ready for 0, else as drawn
  /// from a generator that begins with this number. With virtual time and without other threads the
  /// same number gives the same run.
  std::uint64_t seed = 0;

  /// Without workers: called when something has come from another thread after poll_one() has
  /// returned false, once until the next such time; poll_one() then has something to do. Any
  /// thread. It takes no longer than to wake the host (a write to an eventfd, say), does not call
  /// the runtime, and must not throw.
  std::function<void()> on_wake = {};

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
///
/// In a child of fork() there are no workers. If the parent had a runtime when it forked, then in
/// the child all that would start, end or wait for a task throws invalid_state, also to make a new
/// runtime; destructors return at once. The child may call exec(). A task may fork, and its child
/// must call exec() or _exit() before it suspends or ends.
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
  /// invalid_state and `body` is destroyed without having started. Of a runtime without workers, it
  /// runs all tasks meanwhile. With virtual time it throws `deadlock` when `body` waits for
  /// what will never happen; the task is left as it is then.
  template <class T>
  T block_on(task<T> body) {
    check_may_block();
    task_handle<T> handle = spawn(std::move(body), {.name = "block_on"});
    wait_for_end(handle);
    // The handle is known to nobody else; an untyped one from all_tasks() sees no result.
    return detail::move_result(handle);
  }

  /// Starts `body` as a task of its own, which runs to its end whether its handles are kept or not.
  /// It does not run on the calling thread before spawn returns.
  ///
  /// Any thread. What the caller did before happens before the task's first step. Throws
  /// invalid_state for an empty task, and when the runtime is shut down: for its own tasks once
  /// shutdown() has returned, for others once it was asked for; std::bad_alloc. Then `body` is
  /// destroyed without having started. In asyncio: `asyncio.create_task(...)`.
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

  /// Ends all tasks, within the time: refuses what is spawned from outside from now on; cancels all
  /// tasks that have not been cancelled before, once, and each task that one of them spawns from
  /// now on; then waits until they have ended, with what they do to clean up, and until the
  /// functions given to run_blocking() have returned. Timers go on meanwhile. Returns what is left
  /// when the time is over; that stays as it is, but cannot spawn any more.
  ///
  /// May be called again, for who is late or to wait longer. Afterwards spawn() and block_on()
  /// throw invalid_state, and destroy the task that they were given. Any thread that is not a
  /// worker (invalid_state), also several at once. Of a runtime without workers, runs the tasks
  /// meanwhile, and comes back early when, in virtual time, nothing will ever happen. Throws
  /// std::bad_alloc.
  shutdown_report shutdown(time_point deadline);
  template <class Rep, class Period>
  shutdown_report shutdown(std::chrono::duration<Rep, Period> limit) {
    return shutdown(detail::deadline_for(limit, now()));
  }

  /// How a task, or a thread that must not wait, begins the end: refuses and cancels as shutdown()
  /// does, also the calling task, and returns at once. Any thread. Throws std::bad_alloc.
  void request_shutdown();

  // Without workers: for a host that has a loop of its own. Each throws invalid_state on a worker
  // and when the runtime has workers. One thread at a time.

  /// Runs one task that is ready, up to where it suspends; never waits. False when none was.
  bool poll_one();

  /// Runs tasks, and sleeps between them, until the time has passed. With virtual time it does not
  /// sleep, and now() is then what was asked for.
  template <class Rep, class Period>
  void run_for(std::chrono::duration<Rep, Period> time) {
    run_until(deadline_after(detail::saturated(time), now()));
  }
  void run_until(time_point deadline);

  /// No later than the next timer is due: when the host, which has seen poll_one() return false,
  /// is to call it again at the latest. Nothing when there is no timer.
  [[nodiscard]] std::optional<time_point> next_deadline() const;

  /// The time by which this runtime's tasks sleep. Any thread.
  [[nodiscard]] time_point now() const noexcept;

  /// 0 when there are none.
  [[nodiscard]] std::size_t worker_count() const noexcept;
  [[nodiscard]] runtime_statistics statistics() const;

  /// Handles of the tasks that are not done at this moment. Any thread.
  [[nodiscard]] std::vector<any_task_handle> all_tasks() const;

 private:
  static void check_may_block();
  void check_is_driven() const;
  void wait_for_end(const any_task_handle& awaited);

  std::unique_ptr<detail::runtime_core> core_;
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
