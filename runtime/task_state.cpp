#include <magpie/task_state.hpp>

#include <array>
#include <magpie/errors.hpp>
#include <magpie/futex.hpp>
#include <memory>
#include <mutex>
#include <utility>

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

  void wait() noexcept { parker_.park(); }

 private:
  static void wake(job& self, worker&) noexcept {
    static_cast<blocked_thread&>(self).parker_.unpark();
  }

  parker parker_;
};

/// A name's word: the address of a string, or a number with the lowest bit set.
constexpr std::uint64_t is_number = 1;

std::string* string_of(std::uint64_t word) noexcept {
  return (word & is_number) != 0 ? nullptr : reinterpret_cast<std::string*>(word);
}

/// The order in which the waiters came.
waiter* reversed(waiter* newest) noexcept {
  waiter* oldest = nullptr;
  while (newest != nullptr) {
    auto* const next = static_cast<waiter*>(newest->next);
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  return oldest;
}

/// See waiter. A task that waits has not ended, so its runtime is there.
void tell(waiter& who, worker& here) noexcept {
  if (who.task == nullptr) {
    who.run(who, here);
  } else {
    static_cast<const task_state_base*>(who.task)->home()->jobs.wake(who);
  }
}

}  // namespace

waiter task_state_base::end_of_list_{nullptr};

task_state_base::~task_state_base() {
  if (frame_) frame_.destroy();  // it was never launched
  delete callbacks_.load(std::memory_order_acquire);
  delete string_of(name_);
}

task_state_base* task_state_base::try_visit(slot& found) noexcept {
  std::uint64_t seen = found.references.load(std::memory_order_relaxed);
  do {
    if (seen == 0) return nullptr;
  } while (!found.references.compare_exchange_weak(
      seen, seen + one_visit, std::memory_order_acquire, std::memory_order_relaxed));
  return std::launder(reinterpret_cast<task_state_base*>(found.body));
}

runtime_core* task_state_base::home() const noexcept {
  const std::uint64_t word = home_.load(std::memory_order_acquire);
  return runtime_identity::is_one(word) ? nullptr : reinterpret_cast<runtime_core*>(word);
}

void task_state_base::prepare(runtime_core& core, const spawn_options& options) {
  home_.store(reinterpret_cast<std::uintptr_t>(&core), std::memory_order_relaxed);
  name_ = options.name.empty() ? next_task_number() << 1 | is_number
                               : reinterpret_cast<std::uintptr_t>(new std::string(options.name));
}

void task_state_base::launch(runtime_core& core, const spawn_options& options) {
  try {
    prepare(core, options);
    core.add_tasks(1);
  } catch (...) {
    discard();
    throw;
  }
  publish();
  core.jobs.submit(*this);
}

new_tasks::~new_tasks() {
  for (task_state_base* const each : states_) each->discard();
}

std::vector<task_state_base*> new_tasks::launch(runtime_core& core, const spawn_options& options) {
  if (states_.empty()) return {};
  for (task_state_base* const each : states_) each->prepare(core, options);
  core.add_tasks(states_.size());
  task_state_base* previous = nullptr;
  for (task_state_base* const each : states_) {
    each->publish();
    each->next = nullptr;
    if (previous != nullptr) previous->next = each;
    previous = each;
  }
  core.jobs.submit_all(*states_.front());
  return std::exchange(states_, {});
}

void task_state_base::run_first(job& self, worker& here) noexcept {
  auto& state = static_cast<task_state_base&>(self);
  here.set_task(&state);
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
  // The task has ended, and perhaps its runtime too. The job holds a handle, so that the state, and
  // with it the job, outlives its run.
  const runtime_identity identity(home_.load(std::memory_order_acquire));
  bool is_submitted = false;
  runtime_core::visit(identity, [&](runtime_core& home) {
    if (!home.tasks.add_from_outside(1)) return;
    add_handle();
    home.jobs.submit(all);
    is_submitted = true;
  });
  if (!is_submitted) {
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

void task_state_base::wait() noexcept {
  blocked_thread here;
  if (add_waiter(here) == wait_result::registered) here.wait();
}

void end_task(task_state_base& state, std::exception_ptr& failure) noexcept {
  worker& here = worker::here();
  here.set_task(nullptr);
  state.finish(state.operations_.end(state, failure), here);
}

/// The result is stored, the frame gone: publishes the end. Nothing of this object may be touched
/// after its references have gone down.
void task_state_base::finish(std::exception_ptr failure, worker& here) noexcept {
  status_ = task_status::finished;
  if (failure) [[unlikely]] {
    if (is_cancellation(failure)) status_ = task_status::cancelled;
    failure_ = std::move(failure);
  }
  runtime_core& core = *home();
  home_.store(core.identity.word(), std::memory_order_release);
  waiter* waiting = waiters_.exchange(ended_mark(), std::memory_order_seq_cst);
  if (done_callbacks* const callbacks = callbacks_.load(std::memory_order_seq_cst)) [[unlikely]] {
    if (callbacks->task_ended()) {
      add_handle();  // as in add_done_callback()
      core.tasks.add(here, 1);
      core.jobs.submit(*callbacks);
    }
  }
  // Each waiter holds a handle, so the state may go only if nobody waits.
  if (references().fetch_sub(still_running, std::memory_order_acq_rel) == still_running) dispose();
  for (waiter* each = reversed(waiting); each != nullptr;) {
    auto* const following = static_cast<waiter*>(each->next);  // read first: each may go at once
    tell(*each, here);
    each = following;
  }
  core.tasks.remove(here);
}

std::exception_ptr task_state_base::failure() {
  if (!is_done()) throw_invalid_state("a task that is done");
  observed_.store(true, std::memory_order_relaxed);
  if (status_ == task_status::cancelled) std::rethrow_exception(failure_);
  return failure_;
}

void task_state_base::rethrow_failure() {
  observed_.store(true, std::memory_order_relaxed);
  std::rethrow_exception(failure_);
}

std::string task_state_base::name() const {
  const std::lock_guard lock(name_lock(this));
  if (const std::string* const given = string_of(name_)) return *given;
  return "Task-" + std::to_string(name_ >> 1);
}

void task_state_base::set_name(std::string_view name) {
  auto* const replacement = new std::string(name);
  std::uint64_t replaced = 0;
  {
    const std::lock_guard lock(name_lock(this));
    replaced = std::exchange(name_, reinterpret_cast<std::uintptr_t>(replacement));
  }
  delete string_of(replaced);
}

void task_state_base::report(const std::exception_ptr& error) const noexcept {
  const std::uint64_t word = home_.load(std::memory_order_acquire);
  const unobserved_hook hook = runtime_identity(word).hook();
  if (hook == nullptr) return;
  const std::string own_name = name();
  hook({own_name, error});
}

void task_state_base::dispose() noexcept {
  const bool unobserved =
      failure_ && status_ == task_status::finished && !observed_.load(std::memory_order_relaxed);
  if (unobserved) report(failure_);
  operations_.dispose(*this);
}

}  // namespace magpie::detail
