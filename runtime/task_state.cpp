#include <magpie/detail/task_state.hpp>

#include <magpie/detail/proceed.hpp>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/errors.hpp>
#include <memory>
#include <thread>
#include <utility>

#include "runtime/blocked_thread.hpp"
#include "runtime/forked_process.hpp"
#include "runtime/local_values.hpp"
#include "runtime/runtime_core.hpp"
#include "runtime/task_extras.hpp"

namespace magpie::detail {

namespace {

/// Wakes a waiter, as `waiter` says. A task that waits has not ended, so its runtime is there.
void tell(waiter& who, worker& here) noexcept {
  if (who.scope == nullptr) {
    who.run(who, here);
  } else {
    scheduler_of(*who.scope).wake(who);
  }
}

}  // namespace

scheduler& scheduler_of(cancel_scope& scope) noexcept { return task_of(scope).home()->jobs; }

task_state_base::~task_state_base() {
  if (look().has_exception()) content_.failure.~exception_ptr();
  delete existing_extras();
}

task_state_base* task_state_base::try_visit(slot& found) noexcept {
  if (!task_references(found).try_visit()) return nullptr;
  return std::launder(reinterpret_cast<task_state_base*>(found.body));
}

runtime_core* task_state_base::home() const noexcept {
  const std::uint64_t word = home_.load(std::memory_order_acquire);
  return runtime_identity::is_one(word) ? nullptr : reinterpret_cast<runtime_core*>(word);
}

bool task_state_base::belongs_to(const runtime_core& core) const noexcept {
  const std::uint64_t word = home_.load(std::memory_order_acquire);
  return word == reinterpret_cast<std::uintptr_t>(&core) || word == core.identity.word();
}

void task_state_base::prepare(runtime_core& core, const spawn_options& options) {
  home_.store(reinterpret_cast<std::uintptr_t>(&core), std::memory_order_relaxed);
  spawned_at_ = options.spawned_at;
  if (!options.name.empty()) [[unlikely]]
    set_name(options.name);
  if (const shared_locals inherited = current_locals()) [[unlikely]] {
    static_cast<void>(exchange_locals(nullptr, inherited));
  }
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
  if (core.is_closing()) [[unlikely]]
    cancel_before_start();
  core.jobs.submit(*this);
}

void task_state_base::cancel_before_start() noexcept {
  const lock_guard guard(*this);
  static_cast<void>(accept_request(nullptr));
}

void task_state_base::start(std::coroutine_handle<> frame, worker& here) noexcept {
  if (due() != 0) [[unlikely]] {
    failure_word failure;
    failure.set_failure(std::make_exception_ptr(magpie::cancelled(cancel_reason())));
    end_task(*this, failure);
    return;
  }
  here.set_context(static_cast<cancel_scope*>(this));
  frame.resume();
}

bool task_state_base::add_waiter(waiter& who) noexcept {
  if (is_done()) return false;
  const lock_guard guard(waiters_);
  if (waiters_.is_closed()) return false;
  waiters_.push(who);
  return true;
}

bool task_state_base::remove_waiter(waiter& who) noexcept {
  const lock_guard guard(waiters_);
  return waiters_.remove(who);
}

bool task_state_base::accept_request(const std::shared_ptr<const std::string>& reason) noexcept {
  if (look().has_ended()) return false;
  change_to(look().with_one_request_more());
  set_due(next_request_number());
  task_extras* existing = existing_extras();
  if (reason && existing == nullptr) {
    existing = new (std::nothrow) task_extras(*this, number_itself());
    if (existing != nullptr) set_extras(existing);
  }
  if (existing != nullptr) existing->reason = reason;
  return true;
}

unsigned task_state_base::uncancel() noexcept {
  const lock_guard guard(*this);
  const scope_word before = look();
  if (before.request_count() == 0 || before.has_ended()) return cancelling();
  change_to(before.with_one_request_less());
  if (cancelling() == 0) forget_task_requests();
  return cancelling();
}

std::shared_ptr<const std::string> task_state_base::cancel_reason() noexcept {
  task_extras* const existing = existing_extras();
  if (existing == nullptr) return nullptr;
  const lock_guard guard(*this);
  return existing->reason;
}

bool task_state_base::wait(time_point deadline) noexcept {
  blocked_thread here;
  if (!add_waiter(here) || here.wait_until(deadline)) return true;
  if (remove_waiter(here)) return false;
  here.wait_until(time_point::max());  // a worker is about to wake it
  return true;
}

void end_task(task_state_base& state, failure_word& ended) noexcept {
  worker& here = worker::here();
  here.set_context(nullptr);
  std::uint64_t told = 0;
  std::exception_ptr failure;
  if (!ended.is_empty()) [[unlikely]] {
    if (ended.knows_told()) told = ended.told();
    failure = ended.take_failure();
  }
  if (!failure && state.due() > told) [[unlikely]] {
    failure = std::make_exception_ptr(cancelled(state.cancel_reason()));
  }
  std::exception_ptr outcome = state.operations_.end(state, failure);
  state.drop_locals();
  state.finish(std::move(outcome), told, here);
}

/// Publishes the end. The result is stored and the frame is gone. Nothing of this object may be
/// touched after its references have gone down.
void task_state_base::finish(std::exception_ptr failure, std::uint64_t told,
                             worker& here) noexcept {
  runtime_core& core = *home();
  home_.store(core.identity.word(), std::memory_order_release);
  lock();
  if (due() > told && !failure) [[unlikely]] {
    // A request has come since end_task() looked. cancel() has promised that the task will be
    // cancelled.
    unlock();
    operations_.drop_result(*this);
    failure = std::make_exception_ptr(magpie::cancelled(cancel_reason()));
    lock();
  }
  auto how = scope_word::outcome::result;
  if (failure) [[unlikely]] {
    how = is_cancellation(failure) ? scope_word::outcome::cancelled : scope_word::outcome::failure;
    ::new (&content_.failure) std::exception_ptr(std::move(failure));
  }
  task_extras* const extras = existing_extras();
  unlock_with(look().ended_with(how));
  waiter* waiting = nullptr;
  {
    // After the end is published: a thread that finds the list closed sees the outcome.
    const lock_guard guard(waiters_);
    waiting = waiters_.close();
  }
  if (extras != nullptr && extras->callbacks.task_ended()) [[unlikely]] {
    core.tasks.add(here, 1);
    extras->callbacks.submit_to(core);
  }
  // A handle or visit stands behind each waiter, so the state goes here only if there is no waiter.
  if (references().end_run()) dispose();
  while (waiting != nullptr) {
    waiter& woken = *waiting;
    waiting = static_cast<waiter*>(woken.next);  // before it is woken: it may be gone then
    tell(woken, here);
  }
  core.tasks.remove(here);
}

void task_state_base::observe() noexcept {
  const lock_guard guard(*this);
  change_to(look().with_observed());
}

/// Returns the failure, for a reader that hands it on.
///
/// The library that counts an exception's references is not built with ThreadSanitizer, which
/// reports a race when the worker that ended the task drops the last reference after another thread
/// has looked at the exception. So in such a build a reader lets the worker finish first.
const std::exception_ptr& task_state_base::read_failure() const noexcept {
#if MAGPIE_THREAD_SANITIZER
  while (references().is_running()) std::this_thread::yield();
#endif
  return content_.failure;
}

std::exception_ptr task_state_base::failure() {
  switch (status()) {
    case task_status::pending:
      throw_invalid_state("a task that is done");
    case task_status::cancelled:
      std::rethrow_exception(read_failure());
    case task_status::finished:
      break;
  }
  if (!look().has_exception()) return nullptr;
  observe();
  return read_failure();
}

std::exception_ptr task_state_base::error() noexcept {
  if (!look().has_exception()) return nullptr;
  observe();
  return read_failure();
}

void task_state_base::throw_instead_of_result() {
  if (!is_done()) throw_invalid_state("a task that is done");
  observe();
  std::rethrow_exception(read_failure());
}

std::string task_state_base::name() const {
  forked_process::check();
  return read_name().text();
}

task_name task_state_base::read_name() const noexcept {
  auto& self = const_cast<task_state_base&>(*this);
  const lock_guard guard(self);
  const task_extras* const existing = existing_extras();
  return existing != nullptr ? existing->name : task_name{.number = self.number_itself()};
}

std::string task_state_base::name_for_report() const noexcept try {
  return read_name().text();
} catch (const std::bad_alloc&) {
  return "(out of memory)";  // so short that a string needs no memory for it
}

void task_state_base::set_name(std::string_view name) {
  forked_process::check();
  auto given = std::make_shared<const std::string>(name);
  task_extras& all = extras();
  const lock_guard guard(*this);
  all.name.given.swap(given);  // the old one is destroyed after the lock is released
}

std::string task_state_base::waiting_for() {
  forked_process::check();
  if (is_done()) return "nothing (done)";
  wait_descriptions waits;
  describe_waits(waits);
  return waits.text();
}

void task_state_base::describe_waits(wait_descriptions& into) noexcept {
  const lock_guard guard(*this);
  const runtime_core* const core = home();  // there until the task has ended
  if (core == nullptr) return;
  into.set_moment(core->jobs.now());
  describe_members(into);
}

void task_state_base::report(const std::exception_ptr& error) const noexcept {
  const unobserved_hook hook = runtime_identity(identity_of_home()).hook();
  if (hook == nullptr) return;
  const std::string own_name = name_for_report();
  hook({own_name, error});
}

void task_state_base::dispose() noexcept {
  const scope_word seen = look();
  if (seen.has_failure() && !seen.is_observed()) report(content_.failure);
  operations_.dispose(*this);
}

}  // namespace magpie::detail
