#pragma once

#include <cstddef>
#include <magpie/clock.hpp>
#include <magpie/detail/as_task.hpp>
#include <magpie/detail/new_tasks.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/report.hpp>
#include <magpie/runtime_options.hpp>
#include <magpie/statistics.hpp>
#include <magpie/task.hpp>
#include <magpie/task_handle.hpp>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>
#include <vector>

namespace magpie {

namespace detail {

/// Gives `body` a state, launches it on `core` and returns its handle.
template <class T>
task_handle<T> launch(runtime_core& core, task<T>&& body, const spawn_options& options) {
  if (!body)
    throw_invalid_state("a task to spawn that has not been awaited, spawned or moved from");
  task_state<T>& state = task_state<T>::make(body);
  state.launch(core, options);
  return handle_access::adopt<task_handle<T>>(state);
}

/// The same for many tasks, which are published together, with one wake-up. Launches all or none.
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

/// Returns the runtime of the calling task. Throws invalid_state outside of a task.
[[nodiscard]] runtime_core& current_core();

}  // namespace detail

/// A pool of workers that runs tasks. Several runtimes may live in one process; tasks of one may
/// await handles of another.
///
/// A child process of fork() has no workers. If the parent had a runtime at the fork, then in the
/// child every call that would make a runtime, or start, end or wait for a task, throws
/// invalid_state; destructors return at once. The child may call exec(). A task may fork; its child
/// process must call exec() or _exit() before it suspends or ends.
class runtime {
 public:
  /// Starts the workers. Throws invalid_state for options out of range, std::system_error if a
  /// thread cannot be started, std::bad_alloc.
  explicit runtime(const runtime_options& options = {});

  /// Cancels all tasks that are left and all that these spawn, and waits for their end, their
  /// clean-up included, during which timers go on. Then joins the threads. Blocks as long as that
  /// takes.
  ///
  /// Must not run on one of its own workers, nor while other threads still use the runtime. Handles
  /// stay valid.
  ~runtime();

  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs `body` as a spawned task and blocks the calling thread until it has ended. Returns its
  /// result or throws what it threw. Other tasks run during the call and after it.
  ///
  /// Throws invalid_state on a worker (of any runtime) and for an empty task; `body` is then
  /// destroyed without having started. With virtual time, throws `deadlock` if `body` waits for
  /// what will never happen; the task then stays as it is. Any thread that is not a worker. Without
  /// workers, the calling thread runs all tasks during the call. In asyncio: `asyncio.run(...)`.
  template <class T>
  T block_on(task<T> body, std::source_location called_at = std::source_location::current()) {
    check_may_block();
    task_handle<T> handle = spawn(std::move(body), {.name = "block_on", .spawned_at = called_at});
    wait_for_end(handle);
    // No other code has a typed handle, and an untyped one from all_tasks() sees no result.
    return detail::move_result(handle);
  }
  /// The same for a timeout, a gather or whatever else a task can await.
  template <detail::other_awaitable Awaitable>
  detail::awaited_result<Awaitable> block_on(
      Awaitable awaited, std::source_location called_at = std::source_location::current()) {
    return block_on(detail::as_task(std::move(awaited)), called_at);
  }

  /// Starts `body` as a task of its own and returns a handle. The task runs to its end whether its
  /// handles are kept or not. It does not run on the calling thread before spawn() returns.
  ///
  /// Throws invalid_state for an empty task, and when the runtime is shut down: for its own tasks
  /// once shutdown() has returned, for all other callers once the shutdown was requested. Throws
  /// std::bad_alloc. If it throws, `body` is destroyed without having started. Any thread. What the
  /// caller did before happens before the task's first step. In asyncio:
  /// `asyncio.create_task(...)`.
  template <class T>
  task_handle<T> spawn(task<T> body, spawn_options options = {}) {
    return detail::launch(*core_, std::move(body), options);
  }
  /// The same for a task that awaits a timeout, a gather or whatever else a task can await.
  template <detail::other_awaitable Awaitable>
  task_handle<detail::awaited_result<Awaitable>> spawn(Awaitable awaited,
                                                       spawn_options options = {}) {
    return spawn(detail::as_task(std::move(awaited)), options);
  }

  /// Spawns many tasks in order, all with the same options, and returns their handles in order.
  /// Publishes them together and wakes one sleeping worker, which wakes the next. Throws as spawn()
  /// does; then none of them starts.
  template <class T>
  std::vector<task_handle<T>> spawn_many(std::vector<task<T>> bodies, spawn_options options = {}) {
    return detail::launch_all(*core_, std::move(bodies), options);
  }

  /// Ends all tasks within the time. From now on it refuses tasks that are spawned from outside. It
  /// cancels, once, each task that has not been cancelled before, and each task that one of them
  /// spawns from now on. Then it waits until all of them have ended, their clean-up included, and
  /// until the functions given to run_blocking() have returned. Timers go on during that time.
  ///
  /// Returns what is left when the time is over. What is left runs on, but cannot spawn any more.
  /// Throws invalid_state on a worker, and std::bad_alloc. May be called again, to wait longer for
  /// what is left. Afterwards spawn() and block_on() throw invalid_state and destroy the task that
  /// they were given.
  ///
  /// Any thread that is not a worker, also several at once. Without workers, the calling thread
  /// runs the tasks; with virtual time it returns early if nothing will ever happen, and the
  /// deadline does not limit its wait for run_blocking().
  runtime_report shutdown(time_point deadline);
  template <class Rep, class Period>
  runtime_report shutdown(std::chrono::duration<Rep, Period> limit) {
    return shutdown(detail::deadline_for(limit, now()));
  }

  /// Begins the shutdown without waiting for it: refuses and cancels as shutdown() does, also the
  /// calling task, and returns at once. For tasks, and for threads that must not block. Throws
  /// std::bad_alloc. Any thread.
  void request_shutdown();

  // Without workers: for a host that has a loop of its own. Each throws invalid_state on a worker
  // and if the runtime has workers. One thread at a time.

  /// Runs one ready task up to its next suspension. Never waits. Returns false if no task was
  /// ready.
  bool poll_one();

  /// Runs ready tasks until none is ready. Never waits; virtual time stands still.
  void run_until_idle();

  /// Runs tasks, and sleeps between them, until the time has passed. With virtual time it does not
  /// sleep, and now() is afterwards the moment that was given.
  template <class Rep, class Period>
  void run_for(std::chrono::duration<Rep, Period> time) {
    run_until(deadline_after(detail::saturated(time), now()));
  }
  void run_until(time_point deadline);

  /// Returns a moment no later than the next timer is due; nothing if there is no timer. A host
  /// that has seen poll_one() return false calls it again by then at the latest.
  [[nodiscard]] std::optional<time_point> next_deadline() const;

  /// Returns the time by which this runtime's tasks sleep. Any thread.
  [[nodiscard]] time_point now() const noexcept;

  /// Returns the number of worker threads; 0 for a runtime without workers.
  [[nodiscard]] std::size_t worker_count() const noexcept;
  [[nodiscard]] runtime_statistics statistics() const;

  /// Returns handles of the tasks that are not done at this moment. Throws std::bad_alloc. Any
  /// thread. In asyncio: `asyncio.all_tasks()`.
  [[nodiscard]] std::vector<any_task_handle> all_tasks() const;

  /// Returns what there is at this moment: each task with its name, the place of its spawn and what
  /// it waits for, and the rings of tasks that await each other. Takes a microsecond or so for each
  /// task, and holds no lock meanwhile. Throws std::bad_alloc. Any thread.
  [[nodiscard]] runtime_report report() const;

 private:
  friend class work_guard;

  static void check_may_block();
  void check_is_driven() const;
  void wait_for_end(const task_handle_base& awaited);

  std::unique_ptr<detail::runtime_core> core_;
};

/// Says that another thread is about to do something for a runtime with virtual time: to spawn or
/// cancel a task, or to end what a task waits for. As long as it lives, a thread that drives the
/// runtime and finds nothing ready waits, in real time, as it does for run_blocking(): time stands
/// still, and there is no deadlock. Without virtual time it changes nothing.
///
///     magpie::work_guard coming(runtime);
///     std::thread other([&, coming = std::move(coming)] { sleeper.cancel(); });
///
/// What the thread does before it drops the guard happens before time moves on. Any thread; the
/// runtime must outlive it.
class work_guard {
 public:
  explicit work_guard(runtime& expecting);
  work_guard(work_guard&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  work_guard& operator=(work_guard&& other) noexcept {
    work_guard taken(std::move(other));
    std::swap(core_, taken.core_);
    return *this;
  }
  ~work_guard();

 private:
  detail::runtime_core* core_;
};

/// runtime::spawn() on the runtime of the calling task. Throws invalid_state outside of a task.
template <class T>
task_handle<T> spawn(task<T> body, spawn_options options = {}) {
  return detail::launch(detail::current_core(), std::move(body), options);
}
template <detail::other_awaitable Awaitable>
task_handle<detail::awaited_result<Awaitable>> spawn(Awaitable awaited,
                                                     spawn_options options = {}) {
  return spawn(detail::as_task(std::move(awaited)), options);
}

/// runtime::spawn_many() on the runtime of the calling task. Throws invalid_state outside of a
/// task.
template <class T>
std::vector<task_handle<T>> spawn_many(std::vector<task<T>> bodies, spawn_options options = {}) {
  return detail::launch_all(detail::current_core(), std::move(bodies), options);
}

/// Returns a handle of the calling task, also after awaits and after a move to another worker;
/// outside of a task, an empty handle. In asyncio: `asyncio.current_task()`.
[[nodiscard]] any_task_handle current_task() noexcept;

}  // namespace magpie
