#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/check.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/errors.hpp>
#include <magpie/runtime.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/task.hpp>
#include <magpie/timeout.hpp>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace magpie {

struct batcher_options {
  std::size_t size = 1;       // a batch is flushed when it has this many submissions,
  duration delay = no_limit;  // or when this much time has passed since its first
};

namespace detail {

template <class In, class Out>
class batcher_core;

/// One call of submit(). Lives in the frame of the task that awaits it.
template <class In, class Out>
class [[nodiscard]] submission : private leaf_wait {
 public:
  submission(batcher_core<In, Out>& core, In item)
      : leaf_wait(operations_of<submission>), core_(core), item_(std::move(item)) {}
  submission(submission&& other)
      : leaf_wait(std::move(other)),
        core_(other.core_),
        once_(std::move(other.once_)),
        item_(std::move(other.item_)) {}

  [[nodiscard]] bool await_ready() {
    static_cast<void>(this_worker("a submission to be awaited in a task on a runtime"));
    once_.begin();
    return false;
  }
  [[nodiscard]] bool await_suspend(task_coroutine suspended) {
    for (;;) {
      bool is_refused = false;
      if (suspend(suspended, [&] {
            const bool is_in = core_.enter(*this);
            is_refused = !is_in;
            return is_in;
          })) {
        return true;
      }
      if (!is_refused) return false;
      core_.begin_to_collect();
    }
  }
  Out await_resume() {
    resume();
    if (failure_) std::rethrow_exception(failure_);
    return std::move(result_.get());
  }

 private:
  friend leaf_wait;
  friend batcher_core<In, Out>;

  [[nodiscard]] bool withdraw() noexcept { return core_.try_leave(*this); }
  static void describe(wait_descriptions& into) noexcept { into.add({.what = "batch"}); }

  batcher_core<In, Out>& core_;
  single_await once_;
  In item_;
  result_slot<Out> result_;
  std::exception_ptr failure_;
  // Guarded by the core's lock.
  time_point came_at_;
  typename batcher_core<In, Out>::list* in_ = nullptr;  // the list that it is in; null for none
  submission* previous_ = nullptr;
  submission* following_ = nullptr;
  std::size_t number_ = 0;  // its place in its batch, once that was taken
  // While its item is moved, nobody withdraws it; a request that comes then is noted.
  bool is_moving_ = false;
  bool is_to_leave_ = false;
};

/// The state of a batcher. The collectors, which are tasks of their own, keep it alive.
///
/// While submissions are pending there is one *collector*. It waits until a batch is due and takes
/// its submissions. If others are left it spawns the next collector. Then it flushes.
template <class In, class Out>
class batcher_core {
 public:
  using entry = submission<In, Out>;
  using flush_function = std::function<task<std::vector<Out>>(std::vector<In>)>;

  struct list {
    entry* first = nullptr;
    entry* last = nullptr;
    std::size_t size = 0;
  };

  batcher_core(batcher_options options, flush_function flush)
      : options_(options), flush_(std::move(flush)) {
    if (options_.size == 0) throw_invalid_state("batches of at least one submission");
  }

  [[nodiscard]] bool is_awaited() noexcept {
    const lock_guard guard(lock_);
    return waiting_ != 0;
  }

  void set_self(const std::shared_ptr<batcher_core>& self) noexcept { self_ = self; }

  // Called by a submission.

  /// Adds a submission to those that are pending. Returns false when there is no collector: the
  /// submitter spawns one first, because that may fail.
  [[nodiscard]] bool enter(entry& one) noexcept {
    const time_point when = now();
    const lock_guard guard(lock_);
    if (!is_collecting_) return false;
    one.came_at_ = when;
    append(pending_, one);
    ++waiting_;
    if (pending_.size == options_.size) complete_.release();
    return true;
  }

  void begin_to_collect() {
    {
      const lock_guard guard(lock_);
      if (std::exchange(is_collecting_, true)) return;
    }
    spawn_collector();
  }

  [[nodiscard]] bool try_leave(entry& one) noexcept {
    const lock_guard guard(lock_);
    if (one.is_moving_) one.is_to_leave_ = true;
    if (one.in_ == nullptr || one.is_moving_) return false;
    unlink(one);
    --waiting_;
    return true;
  }

 private:
  void spawn_collector() {
    try {
      static_cast<void>(spawn(collect(self_.lock()), {.name = "batcher"}));
    } catch (...) {
      fail_pending(std::current_exception());
      throw;
    }
  }

  /// The body of a collector. What it throws while it collects fails all pending submissions. What
  /// the flush throws fails its batch.
  [[nodiscard]] static task<> collect(std::shared_ptr<batcher_core> self) {
    list batch;
    std::vector<In> items;
    try {
      const bool is_due = co_await self->wait_until_due();
      if (!is_due) co_return;
      items.reserve(self->size_of_next());
      if (self->take(batch, items)) self->spawn_collector();
    } catch (...) {
      self->fail_pending(std::current_exception());
    }
    if (items.empty()) co_return;
    std::vector<Out> results;
    std::exception_ptr failure;
    try {
      const std::size_t size = items.size();
      task<std::vector<Out>> flushing = self->flush_(std::move(items));
      results = co_await std::move(flushing);
      if (results.size() != size) throw_invalid_state("a flush to give a result for each item");
    } catch (...) {
      failure = std::current_exception();
    }
    self->answer(batch, results, failure);
  }

  /// Waits until a batch is due. Returns false when no submission is pending any more.
  [[nodiscard]] task<bool> wait_until_due() {
    while (const std::optional<duration> left = time_left()) {
      if (*left <= duration::zero()) co_return true;
      try {
        co_await wait_for(wait_until_complete(), *left);
      } catch (const timeout_error&) {
      }
    }
    co_return false;
  }

  /// Called by the collector: how long to wait at most. Returns nothing when no submission is
  /// pending. The caller is then no collector any more.
  [[nodiscard]] std::optional<duration> time_left() noexcept {
    const time_point when = now();
    const lock_guard guard(lock_);
    if (pending_.size == 0) {
      is_collecting_ = false;
      return std::nullopt;
    }
    if (pending_.size >= options_.size) return duration::zero();
    const time_point deadline = deadline_after(options_.delay, pending_.first->came_at_);
    return deadline == time_point::max() ? no_limit : deadline - when;
  }

  [[nodiscard]] task<> wait_until_complete() {
    permit seen = co_await complete_.acquire();
    seen.detach();
  }

  [[nodiscard]] std::size_t size_of_next() noexcept {
    const lock_guard guard(lock_);
    return std::min(pending_.size, options_.size);
  }

  /// Moves pending submissions into `batch`, as many as a batch may have and `items` has room for.
  /// Returns whether others are left, which need another collector.
  [[nodiscard]] bool take(list& batch, std::vector<In>& items) noexcept {
    const auto [taken, are_others_left] = take_pending(std::min(options_.size, items.capacity()));
    entry* next = taken.first;
    std::exception_ptr failure;
    try {
      for (; next != nullptr; next = next->following_) {
        next->number_ = items.size();
        items.push_back(std::move(next->item_));  // a user's code, so without the lock
      }
    } catch (...) {
      failure = std::current_exception();
    }
    end_moving(taken.first, next, batch, failure);
    return are_others_left;
  }

  /// Takes submissions out of the pending ones, for their items to be moved. Returns them, and
  /// whether others are left.
  [[nodiscard]] std::pair<list, bool> take_pending(std::size_t most) noexcept {
    list taken;
    const lock_guard guard(lock_);
    while (pending_.size != 0 && taken.size != most) {
      entry& next = *pending_.first;
      unlink(next);
      append(taken, next);
      next.is_moving_ = true;
    }
    // These permits are stale: the next collector reads the number of submissions before it waits.
    while (permit told = complete_.try_acquire()) told.detach();
    is_collecting_ = pending_.size != 0;
    return {taken, is_collecting_};
  }

  /// Puts the submissions up to `unmoved` into the batch, but for those that were to leave in the
  /// meantime. The others fail.
  void end_moving(entry* first, const entry* unmoved, list& batch,
                  const std::exception_ptr& failure) noexcept {
    list leaving;
    list failed;
    {
      const lock_guard guard(lock_);
      bool is_moved = true;
      for (entry* each = first; each != nullptr;) {
        is_moved = is_moved && each != unmoved;
        entry& one = *std::exchange(each, each->following_);
        one.is_moving_ = false;
        append(one.is_to_leave_ ? leaving : is_moved ? batch : failed, one);
      }
    }
    std::vector<Out> none;
    if (leaving.size != 0) answer(leaving, none, std::make_exception_ptr(cancelled()));
    if (failed.size != 0) answer(failed, none, failure);
  }

  void fail_pending(const std::exception_ptr& failure) noexcept {
    list failed;
    {
      const lock_guard guard(lock_);
      is_collecting_ = false;
      while (pending_.size != 0) {
        entry& next = *pending_.first;
        unlink(next);
        append(failed, next);
      }
    }
    std::vector<Out> none;
    answer(failed, none, failure);
  }

  void answer(list& batch, std::vector<Out>& results, const std::exception_ptr& failure) noexcept {
    entry* next = nullptr;
    {
      const lock_guard guard(lock_);
      next = let_go(batch);
    }
    while (next != nullptr) {
      entry& each = *next;
      next = each.following_;  // read first: the submission may be gone after submit()
      each.failure_ = failure;
      if (!failure) fill(each, results[each.number_]);
      each.home().submit(each);
    }
  }
  static void fill(entry& one, Out& result) noexcept {
    try {
      one.result_.fill(std::move(result));
    } catch (...) {
      one.failure_ = std::current_exception();
    }
  }

  /// Empties a list and returns its first submission. From then on no cancel request can withdraw
  /// the submissions.
  [[nodiscard]] entry* let_go(list& batch) noexcept MAGPIE_REQUIRES(lock_) {
    for (entry* each = batch.first; each != nullptr; each = each->following_) each->in_ = nullptr;
    waiting_ -= batch.size;
    return std::exchange(batch, list{}).first;
  }

  void append(list& to, entry& one) noexcept MAGPIE_REQUIRES(lock_) {
    one.in_ = &to;
    one.previous_ = to.last;
    one.following_ = nullptr;
    (to.last != nullptr ? to.last->following_ : to.first) = &one;
    to.last = &one;
    ++to.size;
  }
  void unlink(entry& one) noexcept MAGPIE_REQUIRES(lock_) {
    list& from = *std::exchange(one.in_, nullptr);
    (one.previous_ != nullptr ? one.previous_->following_ : from.first) = one.following_;
    (one.following_ != nullptr ? one.following_->previous_ : from.last) = one.previous_;
    --from.size;
  }

  const batcher_options options_;
  const flush_function flush_;
  std::weak_ptr<batcher_core> self_;
  semaphore complete_{0};
  spin_lock lock_;
  list pending_ MAGPIE_GUARDED_BY(lock_);
  // In pending_ and in the lists of running batches.
  std::size_t waiting_ MAGPIE_GUARDED_BY(lock_) = 0;
  bool is_collecting_ MAGPIE_GUARDED_BY(lock_) = false;
};

}  // namespace detail

/// Collects the items that single tasks submit, processes many of them in one call, and gives each
/// task its own result. It is for a service or a disk that takes many requests at the price of one.
///
///     magpie::batcher<key, row> rows({.size = 100, .delay = 2ms}, fetch_rows);
///     const row mine = co_await rows.submit(wanted);  // in each of many tasks
///
/// - A batch is due when it has `size` submissions, or when `delay` has passed since its first.
///   `flush(items)` then runs once, in a task of its own, and gives a result for each item in the
///   same order. So it goes on when submitters are cancelled.
/// - Submissions enter batches in the order in which they came. Several batches may be in progress
///   at once.
/// - A flush runs on the runtime, and with the task-locals, of a task that has submitted.
/// - The batcher must outlive its waiting submissions: to destroy it while a task waits aborts the
///   program. A flush whose submitters have all been cancelled may outlive the batcher. It keeps
///   the function `flush` alive.
///
/// In asyncio: no counterpart; in JavaScript the package dataloader.
template <class In, class Out>
class batcher {
 public:
  using flush_function = typename detail::batcher_core<In, Out>::flush_function;

  /// Throws invalid_state for a size of 0, and std::bad_alloc.
  batcher(const batcher_options& options, flush_function flush)
      : core_(std::make_shared<detail::batcher_core<In, Out>>(options, std::move(flush))) {
    core_->set_self(core_);
  }
  batcher(const batcher&) = delete;
  batcher& operator=(const batcher&) = delete;
  ~batcher() {
    MAGPIE_CHECK(!core_->is_awaited(), "nobody to wait for a batcher that is destroyed");
  }

  /// Adds `item` to a batch and waits until that has been flushed.
  ///
  /// Awaited, gives the result of this item. Throws what the flush throws, as do all submissions of
  /// the same batch and no others. Throws invalid_state when the flush gives another number of
  /// results than of items, and outside of a task; std::bad_alloc when the flush cannot be spawned.
  ///
  /// A cancel request to the awaiting task ends the wait at once. The item leaves a batch that has
  /// not begun. If the batch has begun, the item's result is dropped. The other submissions go on.
  ///
  /// Costs two locks and a suspension. Allocates nothing but, for each batch, its task, the vector
  /// of items and the results.
  [[nodiscard]] detail::submission<In, Out> submit(In item) {
    return detail::submission<In, Out>(*core_, std::move(item));
  }

 private:
  const std::shared_ptr<detail::batcher_core<In, Out>> core_;
};

}  // namespace magpie
