#include <magpie/detail/child_tasks.hpp>

#include <cstdio>
#include <magpie/detail/cancel_round.hpp>
#include <magpie/detail/check.hpp>
#include <magpie/detail/frame_pool.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/errors.hpp>
#include <new>
#include <utility>

#include "runtime/runtime_core.hpp"

namespace magpie::detail {

/// The waiter of one child. It holds a visit, which keeps the task's state but is no handle: a
/// holder of the only handle can take the result.
struct child_tasks::member final : waiter {
  member(child_tasks& around, task_state_base& child) noexcept
      : waiter(&child_ended), group(around), task(&child) {}

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* block, std::size_t size) noexcept { free_frame(block, size); }

  child_tasks& group;
  std::exception_ptr failure;
  // Guarded by the group's lock.
  task_state_base* task;  // null when the member has let go of it
  member* next_child = nullptr;
  member** link = nullptr;  // what points to this member
  member* next_failed = nullptr;
};

/// What launch() throws if the stage is not open.
struct child_tasks::refusal final : invalid_state {
  explicit refusal(const child_tasks& by)
      : invalid_state(
            "magpie: expected a task group to spawn into that has not failed, been "
            "cancelled or been left"),
        origin(&by) {}

  const child_tasks* origin;
};

child_tasks::child_tasks() : core_(current_core()) {}

child_tasks::~child_tasks() {
  while (failed_ != nullptr) delete std::exchange(failed_, failed_->next_failed);
}

void child_tasks::link(member& added, member*& list) noexcept {
  added.next_child = list;
  added.link = &list;
  if (list != nullptr) list->link = &added.next_child;
  list = &added;
}

void child_tasks::unlink(member& removed) noexcept {
  *removed.link = removed.next_child;
  if (removed.next_child != nullptr) removed.next_child->link = removed.link;
}

void child_tasks::move_to_told(member& told) noexcept {
  unlink(told);
  link(told, told_);
}

/// abort() can find the child as soon as it is published. The child cannot end before it is
/// submitted.
void child_tasks::launch(task_state_base& state, const spawn_options& options) {
  member* added = nullptr;
  try {
    state.prepare(core_, options);
    added = new member(*this, state);
    static_cast<void>(state.add_waiter(*added));
    bool is_open = false;
    {
      const lock_guard guard(lock_);
      is_open = stage_ == stage::open;
      if (is_open) {
        core_.add_tasks(1);
        link(*added, children_);
        is_used_ = true;
        state.publish(1);  // the member visits it
      }
    }
    if (!is_open) throw refusal(*this);
  } catch (...) {
    state.discard();
    delete added;
    throw;
  }
  if (core_.is_closing()) [[unlikely]]
    state.cancel_before_start();
  core_.jobs.submit(state);
}

/// Runs on the worker that ended the task, after the end has been published.
void child_tasks::child_ended(job& self, worker&) noexcept {
  auto* const ended = &static_cast<member&>(self);
  child_tasks& group = ended->group;
  task_state_base& task = *ended->task;
  bool has_failed = false;
  if (task.status() == task_status::finished) {
    std::exception_ptr failure = task.failure();
    has_failed = failure && !group.is_refusal(failure);
    if (has_failed) [[unlikely]] {
      group.note_failure(*ended, std::move(failure));
      group.abort();
      group.forget_task(*ended);
    }
  }
  scheduler& home = group.core_.jobs;
  join_awaiter* joining = nullptr;
  {
    const lock_guard guard(group.lock_);
    group.unlink(*ended);
    joining = group.take_finished_join();
  }
  if (!has_failed) {
    delete ended;
    task.end_visit();
  }
  if (joining != nullptr) home.wake(*joining);
}

/// Lets go of the task of a failure before the group can end. So whoever joins the group has the
/// last reference to the error, unless there are handles. abort() looks at no member that has been
/// told.
void child_tasks::forget_task(member& ended) noexcept {
  task_state_base* task = nullptr;
  {
    const lock_guard guard(lock_);
    move_to_told(ended);
    task = std::exchange(ended.task, nullptr);
  }
  task->end_visit();
}

/// Called before abort(), so that the failures which the abort causes come after this one.
void child_tasks::note_failure(member& ended, std::exception_ptr error) noexcept {
  ended.failure = std::move(error);
  const lock_guard guard(lock_);
  ended.next_failed = failed_;
  failed_ = &ended;
}

child_tasks::join_awaiter* child_tasks::take_finished_join() noexcept {
  if (joining_ == nullptr || !is_empty()) return nullptr;
  stage_ = stage::finished;
  return std::exchange(joining_, nullptr);
}

void child_tasks::abort() noexcept {
  {
    const lock_guard guard(lock_);
    if (stage_ != stage::open) return;
    stage_ = stage::aborting;
    is_being_aborted_ = true;
  }
  body_scope_.abort();
  for (;;) {
    task_state_base* next = nullptr;
    {
      const lock_guard guard(lock_);
      if (children_ == nullptr) break;
      member& told = *children_;
      move_to_told(told);
      next = told.task;
      next->add_visit();
    }
    cancel_task(*next, nullptr);
    next->end_visit();
  }
  scheduler& home = core_.jobs;
  join_awaiter* joining = nullptr;
  {
    const lock_guard guard(lock_);
    is_being_aborted_ = false;
    joining = take_finished_join();
  }
  if (joining != nullptr) home.wake(*joining);
}

void child_tasks::claim_join() {
  const lock_guard guard(lock_);
  if (std::exchange(is_claimed_, true)) {
    throw_invalid_state("a task group to be joined once: by join() or by with_task_group()");
  }
}

/// The lock is held for long: nothing comes after this.
void child_tasks::check_joined() noexcept {
  const lock_guard guard(lock_);
  if (!is_used_ || stage_ == stage::finished) return;
  std::fputs("magpie: a task group is destroyed that was not joined. Its children:", stderr);
  for (const member* list : {children_, told_}) {
    for (const member* each = list; each != nullptr; each = each->next_child) {
      if (each->task == nullptr) continue;
      std::fprintf(stderr, " \"%s\"", each->task->name_for_report().c_str());
    }
  }
  std::fputs("\n", stderr);
  MAGPIE_CHECK(stage_ == stage::finished, "a task group to be joined before it is destroyed");
}

std::vector<std::exception_ptr> child_tasks::take_failures() {
  std::vector<std::exception_ptr> failures;
  for (member* each = failed_; each != nullptr; each = each->next_failed) {
    failures.push_back(std::move(each->failure));
  }
  return {failures.rbegin(), failures.rend()};
}

bool child_tasks::is_refusal(const std::exception_ptr& error) const noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const refusal& refused) {
    return refused.origin == this;
  } catch (...) {
    return false;
  }
}

bool child_tasks::join_awaiter::await_suspend(task_coroutine suspended) noexcept {
  return suspend(suspended, [this] {
    const lock_guard guard(children_.lock_);
    if (children_.is_empty()) {
      children_.stage_ = stage::finished;
      return false;
    }
    children_.joining_ = this;
    return true;
  });
}

bool child_tasks::join_awaiter::withdraw() noexcept {
  const lock_guard guard(children_.lock_);
  if (children_.joining_ != this) return false;
  children_.joining_ = nullptr;
  return true;
}

}  // namespace magpie::detail
