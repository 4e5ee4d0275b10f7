#include <magpie/task_state.hpp>

#include <array>
#include <condition_variable>
#include <magpie/errors.hpp>
#include <memory>
#include <mutex>

#include "runtime/done_callbacks.hpp"
#include "runtime/runtime_core.hpp"

namespace magpie::detail {

namespace {

/// Names are read and written rarely, and also when the runtime is gone, so a few locks serve all
/// tasks of the process.
std::mutex& name_lock(const task_state_base* task) noexcept {
  static std::array<std::mutex, 16> locks;
  return locks[(reinterpret_cast<std::uintptr_t>(task) / 64) % locks.size()];
}

/// Unique in the process. Threads take numbers in blocks, so that they do not meet at each spawn.
std::uint64_t next_task_number() noexcept {
  constexpr std::uint64_t block = 256;
  static std::atomic<std::uint64_t> next_block{1};
  thread_local std::uint64_t next = 0;
  thread_local std::uint64_t end = 0;
  if (next == end) {
    next = next_block.fetch_add(block, std::memory_order_relaxed);
    end = next + block;
  }
  return next++;
}

/// Whether the outcome is that of a cancelled task.
bool is_cancellation(const std::exception_ptr& failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const cancelled&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// A thread that blocks until a task has ended.
class blocked_thread : public waiter {
 public:
  blocked_thread() noexcept : waiter(&wake) {}

  void wait() {
    std::unique_lock lock(mutex_);
    woken_.wait(lock, [this] { return is_woken_; });
  }

 private:
  /// Notifies under the lock: the woken thread destroys this object as soon as it has it.
  static void wake(waiter& self) noexcept {
    auto& blocked = static_cast<blocked_thread&>(self);
    const std::lock_guard lock(blocked.mutex_);
    blocked.is_woken_ = true;
    blocked.woken_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable woken_;
  bool is_woken_ = false;
};

/// The order in which the waiters came.
waiter* reversed(waiter* newest) noexcept {
  waiter* oldest = nullptr;
  while (newest != nullptr) {
    waiter* const next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  return oldest;
}

}  // namespace

waiter task_state_base::end_of_list_{nullptr};

task_state_base::task_state_base(completion::function end_function, dispose_function dispose_typed,
                                 std::coroutine_handle<> frame) noexcept
    : job(&run_first), completion(end_function), frame_(frame), dispose_(dispose_typed) {}

task_state_base::~task_state_base() {
  if (frame_) frame_.destroy();  // it was never launched
  delete callbacks_.load(std::memory_order_acquire);
  delete name_;
}

void task_state_base::launch(runtime_core& core, const spawn_options& options) {
  home_ = &core;
  on_unobserved_ = core.options.on_unobserved;
  number_ = next_task_number();
  // The runtime lets go of a task that never came to life.
  struct still_running_guard {
    task_state_base* task;
    ~still_running_guard() {
      if (task != nullptr) task->references_.fetch_sub(still_running, std::memory_order_relaxed);
    }
  } guard{this};
  if (!options.name.empty()) name_ = new std::string(options.name);
  const worker* const here = core.worker_here();
  if (!core.tasks.add(*this, here != nullptr ? here->index() : core.options.workers)) {
    throw_invalid_state("a runtime to spawn on that is not being destroyed");
  }
  try {
    core.jobs.submit(*this);
  } catch (...) {
    core.tasks.remove(*this);
    throw;
  }
  guard.task = nullptr;
}

void task_state_base::run_first(job& self, worker& here) noexcept {
  auto& state = static_cast<task_state_base&>(self);
  here.task = &state;
  state.frame_.resume();
}

task_state_base::wait_result task_state_base::add_waiter(waiter& who) noexcept {
  waiter* head = waiters_.load(std::memory_order_acquire);
  do {
    if (head == ended_mark()) return wait_result::already_done;
    who.next = head;
  } while (!waiters_.compare_exchange_weak(head, &who, std::memory_order_release,
                                           std::memory_order_acquire));
  return wait_result::registered;
}

done_callback_id task_state_base::add_done_callback(done_callback callback) {
  static std::atomic<std::uint64_t> next_id{1};
  const done_callback_id id{next_id.fetch_add(1, std::memory_order_relaxed)};
  done_callbacks& all = callbacks();
  if (!all.add(id, std::move(callback))) return id;
  // The task has ended, and perhaps its runtime too.
  const auto submit = [this](runtime_core& home) { submit_callbacks(home); };
  if (!runtime_core::visit(home_id_, submit)) {
    all.withdraw(id);
    throw_invalid_state("the runtime of an ended task to exist, to run a done callback");
  }
  return id;
}

std::size_t task_state_base::remove_done_callback(done_callback_id id) {
  done_callbacks* const existing = callbacks_.load(std::memory_order_acquire);
  return existing != nullptr ? existing->remove(id) : 0;
}

done_callbacks& task_state_base::callbacks() {
  done_callbacks* existing = callbacks_.load(std::memory_order_acquire);
  if (existing == nullptr) {
    auto made = std::make_unique<done_callbacks>(*this);
    if (callbacks_.compare_exchange_strong(existing, made.get(), std::memory_order_seq_cst)) {
      existing = made.release();
    }
  }
  return *existing;
}

/// The job holds a handle, so that the state, and with it the job, outlives its run.
void task_state_base::submit_callbacks(runtime_core& home) {
  add_handle();
  home.jobs.submit(*callbacks_.load(std::memory_order_acquire));
}

void task_state_base::wait() {
  blocked_thread here;
  if (add_waiter(here) == wait_result::registered) here.wait();
}

void task_state_base::finish(std::exception_ptr failure) noexcept {
  worker& here = *worker::current();
  here.task = nullptr;
  const bool was_cancelled = failure && is_cancellation(failure);
  failure_ = std::move(failure);
  status_ = was_cancelled ? task_status::cancelled : task_status::finished;
  runtime_core& home = *home_;
  home_id_ = home.id;
  // Before the end can be seen, so that the registry lists no task that is done.
  home.tasks.remove(*this);
  waiter* waiting = waiters_.exchange(ended_mark(), std::memory_order_seq_cst);
  if (done_callbacks* const callbacks = callbacks_.load(std::memory_order_seq_cst)) {
    if (callbacks->task_ended()) submit_callbacks(home);
  }
  // Each waiter holds a handle, so the state may go only if nobody waits.
  if (references_.fetch_sub(still_running, std::memory_order_acq_rel) == still_running) dispose();
  for (waiter* each = reversed(waiting); each != nullptr;) {
    waiter* const next = each->next;  // read first: the woken one may be gone at once
    each->notify(*each);
    each = next;
  }
}

std::exception_ptr task_state_base::failure() {
  if (!is_done()) throw_invalid_state("a task that is done");
  observed_.store(true, std::memory_order_relaxed);
  if (status_ == task_status::cancelled) std::rethrow_exception(failure_);
  return failure_;
}

void task_state_base::require_result() {
  if (!is_done()) throw_invalid_state("a task that is done");
  if (!failure_) return;
  observed_.store(true, std::memory_order_relaxed);
  std::rethrow_exception(failure_);
}

std::string task_state_base::name() const {
  const std::lock_guard lock(name_lock(this));
  return name_ != nullptr ? *name_ : "Task-" + std::to_string(number_);
}

void task_state_base::set_name(std::string_view name) {
  auto* replacement = new std::string(name);
  {
    const std::lock_guard lock(name_lock(this));
    std::swap(name_, replacement);
  }
  delete replacement;
}

void task_state_base::report(const std::exception_ptr& error) const noexcept {
  if (on_unobserved_ == nullptr) return;
  const std::string own_name = name();
  on_unobserved_({own_name, error});
}

void task_state_base::dispose() noexcept {
  const bool unobserved =
      failure_ && status_ == task_status::finished && !observed_.load(std::memory_order_relaxed);
  if (unobserved) report(failure_);
  dispose_(*this);
}

}  // namespace magpie::detail
