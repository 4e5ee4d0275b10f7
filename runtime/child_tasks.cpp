#include <magpie/detail/child_tasks.hpp>

#include <atomic>
#include <cstdint>
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

/// The waiter of one child.
struct child_tasks::member final : waiter {
  member(block& in, task_state_base& child) noexcept
      : waiter(&child_ended), around(in), word(reinterpret_cast<std::uintptr_t>(&child)) {}

  static constexpr std::uintptr_t none = 0;
  static constexpr std::uintptr_t being_told = 1;

  [[nodiscard]] static task_state_base* task_in(std::uintptr_t word) noexcept {
    return reinterpret_cast<task_state_base*>(word & ~being_told);
  }

  block& around;
  // The address of the task, whose state the member visits, with the mark being_told while abort()
  // uses it; then none. See child_tasks. All moves acquire and release.
  std::atomic<std::uintptr_t> word;
  std::exception_ptr failure;
  member* failed_before = nullptr;  // guarded by the group's lock
};

/// A few members in one piece of memory.
struct child_tasks::block {
  static constexpr unsigned most = 15;  // so that a block is nearly 1 KiB

  [[nodiscard]] static block& make(child_tasks& group, unsigned size) {
    return *::new (allocate_frame(bytes(size))) block(group, size);
  }
  static void dispose(block* disposed) noexcept {
    if (disposed == nullptr) return;
    for (unsigned i = 0; i < disposed->used; ++i) disposed->members()[i].~member();
    const std::size_t size_of_all = bytes(disposed->size);
    disposed->~block();
    free_frame(disposed, size_of_all);
  }

  [[nodiscard]] member* members() noexcept { return reinterpret_cast<member*>(this + 1); }

  /// Holds a block of the list, unless all its members have ended.
  [[nodiscard]] bool try_hold() noexcept {
    unsigned count = uses.load(std::memory_order_relaxed);
    while (count != 0) {
      if (uses.compare_exchange_weak(count, count + 1, std::memory_order_relaxed,
                                     std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  /// Returns true if that was the last use.
  [[nodiscard]] bool end_uses(unsigned count) noexcept {
    return uses.fetch_sub(count, std::memory_order_acq_rel) == count;
  }

  child_tasks& group;
  // The members that have not ended, and the threads that hold the block. 0 for good: a thread
  // takes it out of the list. The subtractions acquire and release, so that thread has all others
  // behind it.
  std::atomic<unsigned> uses;
  const unsigned size;
  // Guarded by the group's lock.
  unsigned used = 0;  // how many members there are, once the block is no longer open
  bool has_failures = false;
  block* next = nullptr;
  block** link = nullptr;  // what points to this block

 private:
  block(child_tasks& of, unsigned capacity) noexcept : group(of), uses(capacity), size(capacity) {}

  [[nodiscard]] static std::size_t bytes(unsigned size) noexcept {
    return sizeof(block) + size * sizeof(member);
  }
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
  block::dispose(close_open());
  while (failed_blocks_ != nullptr) {
    block::dispose(std::exchange(failed_blocks_, failed_blocks_->next));
  }
}

void child_tasks::launch(task_state_base& state, const spawn_options& options) {
  block* spare = nullptr;
  try {
    state.prepare(core_, options);
    for (;;) {
      const launching outcome = try_launch(state, spare);
      if (outcome == launching::done) break;
      if (outcome == launching::refused) throw refusal(*this);
      spare = &block::make(*this, outcome == launching::needs_own_block ? 1 : block::most);
    }
  } catch (...) {
    state.discard();
    block::dispose(spare);
    throw;
  }
  block::dispose(spare);
  if (core_.is_closing()) [[unlikely]]
    state.cancel_before_start();
  core_.jobs.submit(state);
}

/// abort() can find the child as soon as it is published. The child cannot end before it is
/// submitted.
child_tasks::launching child_tasks::try_launch(task_state_base& state, block*& spare) {
  const lock_guard guard(lock_);
  if (stage_ != stage::open) return launching::refused;
  if (room_ == 0) {
    if (spare == nullptr) return was_awaited_ ? launching::needs_own_block : launching::needs_block;
    open_ = std::exchange(spare, nullptr);
    room_ = open_->size;
    open_->used = room_;  // unless it is closed before
    next_member_ = open_->members();
    add(*open_);
  }
  core_.add_tasks(1);
  auto* const added = ::new (next_member_) member(*open_, state);
  static_cast<void>(state.add_waiter(*added));
  ++next_member_;
  --room_;
  is_used_ = true;
  state.publish(1);                                   // the member visits it
  if (was_awaited_) static_cast<void>(close_open());  // the child is still to end in it
  return launching::done;
}

void child_tasks::add(block& added) noexcept {
  added.next = blocks_;
  added.link = &blocks_;
  if (blocks_ != nullptr) blocks_->link = &added.next;
  blocks_ = &added;
}

child_tasks::block* child_tasks::remove(block& ended) noexcept {
  *ended.link = ended.next;
  if (ended.next != nullptr) ended.next->link = ended.link;
  if (!ended.has_failures) return &ended;
  ended.next = failed_blocks_;
  failed_blocks_ = &ended;
  return nullptr;
}

child_tasks::block* child_tasks::close_open() noexcept {
  const unsigned unused = std::exchange(room_, 0);
  if (unused == 0) return nullptr;
  open_->used = open_->size - unused;
  return open_->end_uses(unused) ? remove(*open_) : nullptr;
}

void child_tasks::release(block& used) noexcept {
  if (!used.end_uses(1)) return;
  scheduler& home = core_.jobs;
  block* ended = nullptr;
  join_awaiter* joining = nullptr;
  {
    const lock_guard guard(lock_);
    ended = remove(used);
    joining = take_finished_join();
  }
  block::dispose(ended);
  if (joining != nullptr) home.wake(*joining);
}

/// Runs on the worker that ended the task, after the end has been published.
void child_tasks::child_ended(job& self, worker&) noexcept {
  auto& ended = static_cast<member&>(self);
  child_tasks& group = ended.around.group;
  task_state_base& task = *member::task_in(ended.word.load(std::memory_order_relaxed));
  if (task.status() == task_status::finished) {
    std::exception_ptr failure = task.failure();
    if (failure && !group.is_refusal(failure)) [[unlikely]] {
      group.note_failure(ended, std::move(failure));
      group.abort();
    }
  }
  const std::uintptr_t before = ended.word.exchange(member::none, std::memory_order_acq_rel);
  if ((before & member::being_told) == 0) group.finish(ended, task);
}

/// Lets go of the task before the group can end. So whoever joins the group has the last reference
/// to an error of the task, unless there are handles.
void child_tasks::finish(member& ended, task_state_base& task) noexcept {
  task.end_visit();
  release(ended.around);
}

/// Called before abort(), so that the failures which the abort causes come after this one.
void child_tasks::note_failure(member& ended, std::exception_ptr error) noexcept {
  ended.failure = std::move(error);
  const lock_guard guard(lock_);
  ended.failed_before = failed_;
  failed_ = &ended;
  ended.around.has_failures = true;
}

child_tasks::join_awaiter* child_tasks::take_finished_join() noexcept {
  if (joining_ == nullptr || !is_empty()) return nullptr;
  stage_ = stage::finished;
  return std::exchange(joining_, nullptr);
}

void child_tasks::abort() noexcept {
  block* empty = nullptr;
  {
    const lock_guard guard(lock_);
    if (stage_ != stage::open) return;
    stage_ = stage::aborting;  // from here on nobody adds a member
    is_being_aborted_ = true;
    empty = close_open();
  }
  block::dispose(empty);
  body_scope_.abort();
  for (block* each = hold_next(nullptr); each != nullptr; each = hold_next(each)) {
    for (unsigned i = 0; i < each->used; ++i) tell(each->members()[i]);
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

/// A block that cannot be held has no children that run, and is about to leave the list.
child_tasks::block* child_tasks::hold_next(block* held) noexcept {
  block* next = nullptr;
  {
    const lock_guard guard(lock_);
    next = held != nullptr ? held->next : blocks_;
    while (next != nullptr && !next->try_hold()) next = next->next;
  }
  if (held != nullptr) release(*held);
  return next;
}

/// Cancels a child, unless it has ended.
void child_tasks::tell(member& child) noexcept {
  std::uintptr_t word = child.word.load(std::memory_order_relaxed);
  if (word == member::none) return;
  const std::uintptr_t marked = word | member::being_told;
  if (!child.word.compare_exchange_strong(word, marked, std::memory_order_acq_rel,
                                          std::memory_order_relaxed)) {
    return;
  }
  task_state_base& task = *member::task_in(word);
  cancel_task(task, nullptr);
  std::uintptr_t expected = marked;
  if (!child.word.compare_exchange_strong(expected, word, std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {
    finish(child, task);
  }
}

void child_tasks::claim_join() {
  const lock_guard guard(lock_);
  if (std::exchange(is_claimed_, true)) {
    throw_invalid_state("a task group to be joined once: by join() or by with_task_group()");
  }
}

/// The lock is held for long: nothing comes after this. A child that is marked keeps its state.
void child_tasks::check_joined() noexcept {
  const lock_guard guard(lock_);
  if (!is_used_ || stage_ == stage::finished) return;
  std::fputs("magpie: a task group is destroyed that was not joined. Its children:", stderr);
  static_cast<void>(close_open());
  for (block* each = blocks_; each != nullptr; each = each->next) {
    for (unsigned i = 0; i < each->used; ++i) {
      std::atomic<std::uintptr_t>& word = each->members()[i].word;
      std::uintptr_t seen = word.load(std::memory_order_relaxed);
      if (seen != member::none &&
          word.compare_exchange_strong(seen, seen | member::being_told, std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
        std::fprintf(stderr, " \"%s\"", member::task_in(seen)->name_for_report().c_str());
      }
    }
  }
  std::fputs("\n", stderr);
  MAGPIE_CHECK(stage_ == stage::finished, "a task group to be joined before it is destroyed");
}

std::vector<std::exception_ptr> child_tasks::take_failures() {
  std::vector<std::exception_ptr> failures;
  for (member* each = failed_; each != nullptr; each = each->failed_before) {
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
  block* empty = nullptr;
  const bool waits = suspend(suspended, [&] {
    const lock_guard guard(children_.lock_);
    children_.was_awaited_ = true;
    empty = children_.close_open();
    if (children_.is_empty()) {
      children_.stage_ = stage::finished;
      return false;
    }
    children_.joining_ = this;
    return true;
  });
  block::dispose(empty);
  return waits;
}

bool child_tasks::join_awaiter::withdraw() noexcept {
  const lock_guard guard(children_.lock_);
  if (children_.joining_ != this) return false;
  children_.joining_ = nullptr;
  return true;
}

}  // namespace magpie::detail
