#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <magpie/clock.hpp>
#include <magpie/detail/check.hpp>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/runtime.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/task.hpp>
#include <magpie/timeout.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace magpie {

struct batcher_options {
  std::size_t size = 1;       // a batch is flushed when there are so many submissions,
  duration pause = no_limit;  // or when so much time has passed since the first of them
};

namespace detail {

template <class In, class Out>
class batcher_core;

/// One call of submit(), while it is awaited.
template <class In, class Out>
class [[nodiscard]] submission : private leaf_wait {
 public:
  submission(batcher_core<In, Out>& core, In item)
      : leaf_wait(operations_of<submission>), core_(core), item_(std::move(item)) {}

  [[nodiscard]] bool await_ready() const {
    static_cast<void>(this_worker("a submission to be awaited in a task on a runtime"));
    return false;
  }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> suspended) {
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
  [[nodiscard]] static wait_description describe() noexcept { return {.what = "batch"}; }

  batcher_core<In, Out>& core_;
  In item_;
  result_slot<Out> result_;
  std::exception_ptr failure_;
  // Guarded by the core's lock.
  time_point came_at_;
  typename batcher_core<In, Out>::list* in_ = nullptr;  // null when it is in none
  submission* previous_ = nullptr;
  submission* following_ = nullptr;
  std::size_t number_ = 0;  // in its batch, once that has begun
};

/// What a batcher consists of. Its collectors, tasks of their own, keep it alive.
///
/// While anybody is pending there is one *collector*. It waits until the batch is complete, takes
/// its submissions, leaves the rest to the next collector, and flushes.
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
    const std::lock_guard guard(lock_);
    return waiting_ != 0;
  }

  void set_self(const std::shared_ptr<batcher_core>& self) noexcept { self_ = self; }

  // For a submission.

  /// False when there is no collector, who must come first: to spawn one may fail.
  [[nodiscard]] bool enter(entry& one) noexcept {
    const time_point when = now();
    const std::lock_guard guard(lock_);
    if (!is_collecting_) return false;
    one.came_at_ = when;
    append(pending_, one);
    ++waiting_;
    if (pending_.size == options_.size) complete_.release();
    return true;
  }

  void begin_to_collect() {
    {
      const std::lock_guard guard(lock_);
      if (std::exchange(is_collecting_, true)) return;
    }
    spawn_collector();
  }

  [[nodiscard]] bool try_leave(entry& one) noexcept {
    const std::lock_guard guard(lock_);
    if (one.in_ == nullptr) return false;
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

  /// A collector. What is thrown while it collects is for all who are pending; what the flush
  /// throws, for its batch.
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

  /// False when nobody is pending any more.
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

  /// For the collector: how long to wait at most. Nothing when nobody is pending: then there is no
  /// collector any more.
  [[nodiscard]] std::optional<duration> time_left() noexcept {
    const time_point when = now();
    const std::lock_guard guard(lock_);
    if (pending_.size == 0) {
      is_collecting_ = false;
      return std::nullopt;
    }
    if (pending_.size >= options_.size) return duration::zero();
    const time_point deadline = deadline_after(options_.pause, pending_.first->came_at_);
    return deadline == time_point::max() ? no_limit : deadline - when;
  }

  [[nodiscard]] task<> wait_until_complete() {
    permit seen = co_await complete_.acquire();
    seen.detach();
  }

  [[nodiscard]] std::size_t size_of_next() noexcept {
    const std::lock_guard guard(lock_);
    return std::min(pending_.size, options_.size);
  }

  /// Moves as many into a batch as there is room for in `items`. Whether others are left, for whom
  /// another collector is needed.
  [[nodiscard]] bool take(list& batch, std::vector<In>& items) {
    const std::lock_guard guard(lock_);
    while (pending_.size != 0 && items.size() != items.capacity() &&
           items.size() != options_.size) {
      entry& next = *pending_.first;
      next.number_ = items.size();
      items.push_back(std::move(next.item_));
      unlink(next);
      append(batch, next);
    }
    // The next collector looks how many are there before it waits to be told.
    while (std::optional<permit> told = complete_.try_acquire()) told->detach();
    is_collecting_ = pending_.size != 0;
    return is_collecting_;
  }

  void fail_pending(const std::exception_ptr& failure) noexcept {
    list failed;
    {
      const std::lock_guard guard(lock_);
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
      const std::lock_guard guard(lock_);
      next = let_go(batch);
    }
    while (next != nullptr) {
      entry& each = *next;
      next = each.following_;  // read first: it may be gone afterwards
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

  /// Takes all out of a list; no cancel reaches them any more.
  [[nodiscard]] entry* let_go(list& batch) noexcept {
    for (entry* each = batch.first; each != nullptr; each = each->following_) each->in_ = nullptr;
    waiting_ -= batch.size;
    return std::exchange(batch, list{}).first;
  }

  void append(list& to, entry& one) noexcept {
    one.in_ = &to;
    one.previous_ = to.last;
    one.following_ = nullptr;
    (to.last != nullptr ? to.last->following_ : to.first) = &one;
    to.last = &one;
    ++to.size;
  }
  void unlink(entry& one) noexcept {
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
  // Guarded by the lock.
  list pending_;
  std::size_t waiting_ = 0;  // in pending_ and in the lists of running batches
  bool is_collecting_ = false;
};

}  // namespace detail

/// Collects what single tasks submit, has many of them processed in one call, and gives each what
/// is its own: for a service or a disk that takes many requests at the price of one.
///
/// A batch is complete when it has `size` submissions, or when `pause` has passed since its first;
/// then `flush`, which gives a result for each item in the same order, runs once in a task of its
/// own, so that it goes on whoever is cancelled. Several batches may be under way at once; they
/// begin in the order of their submissions, on the runtime, and with the task-locals, of a task
/// that has submitted.
///
/// It outlives its submissions: one that is destroyed while somebody waits aborts the program. A
/// flush whose submitters have all been cancelled may still run then, with a copy of `flush` that
/// is kept for it.
///
/// In asyncio: nothing; in JavaScript the package dataloader.
template <class In, class Out>
class batcher {
 public:
  using flush_function = typename detail::batcher_core<In, Out>::flush_function;

  /// Throws invalid_state for a size of 0, std::bad_alloc.
  batcher(const batcher_options& options, flush_function flush)
      : core_(std::make_shared<detail::batcher_core<In, Out>>(options, std::move(flush))) {
    core_->set_self(core_);
  }
  batcher(const batcher&) = delete;
  batcher& operator=(const batcher&) = delete;
  ~batcher() {
    MAGPIE_CHECK(!core_->is_awaited(), "nobody to wait for a batcher that is destroyed");
  }

  /// Awaited, adds `item` to a batch and gives its result when that has been flushed. Throws what
  /// the flush throws, as do all of the same batch and no others; invalid_state when it gives
  /// another number of results, or outside of a task; std::bad_alloc when the flush cannot be
  /// spawned.
  ///
  /// A cancel ends the wait at once: the item leaves a batch that has not begun; of one that has,
  /// its result is dropped. Costs two locks and a suspension; allocates nothing but, for each
  /// batch, its task, the vector of items and the results.
  [[nodiscard]] detail::submission<In, Out> submit(In item) {
    return detail::submission<In, Out>(*core_, std::move(item));
  }

 private:
  const std::shared_ptr<detail::batcher_core<In, Out>> core_;
};

}  // namespace magpie
