#include <magpie/detail/completion_watch.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <magpie/detail/cancel_round.hpp>
#include <magpie/detail/check.hpp>
#include <magpie/detail/delivery.hpp>
#include <magpie/detail/frame_pool.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/timer.hpp>
#include <new>

namespace magpie::detail {

/// The block of a watch, with its nodes behind it in one piece of memory. It stays until its owner
/// has left and everything that may still touch it, nodes and timer, has done so.
struct completion_block : timer {
  /// A waiter of a task, and later a link in the list of those that have arrived, in order. It has
  /// no scope, so the worker that ends the task runs it at once.
  struct node : waiter {
    node(completion_block& of, task_state_base& watched) noexcept
        : waiter(&arrive), block(of), task(watched) {}

    completion_block& block;
    task_state_base& task;     // may be gone once the node has arrived or the block is abandoned
    bool has_arrived = false;  // guarded by the block's lock; final once the block is abandoned
  };

  completion_block(std::size_t most, deciding_end what) noexcept
      : timer(&run_out), capacity(most), decides(what), references(most + 1) {}

  // Behind this object: the nodes, then a table that finds a task's node.

  [[nodiscard]] static std::size_t table_size(std::size_t most) noexcept {
    return std::bit_ceil(2 * most);
  }
  [[nodiscard]] static std::size_t size(std::size_t most) noexcept {
    return sizeof(completion_block) + most * sizeof(node) +
           table_size(most) * sizeof(std::uint32_t);
  }
  [[nodiscard]] node* nodes() noexcept { return reinterpret_cast<node*>(this + 1); }
  [[nodiscard]] std::uint32_t* table() noexcept {
    return reinterpret_cast<std::uint32_t*>(nodes() + capacity);
  }
  [[nodiscard]] std::size_t number_of(const node& which) noexcept {
    return static_cast<std::size_t>(&which - nodes());
  }
  /// Returns the task's place in the table, which holds the task's number plus 1, or 0 for none
  /// yet.
  [[nodiscard]] std::uint32_t& entry(const task_state_base& task) noexcept;

  [[nodiscard]] bool watches(const task_state_base& task) noexcept { return entry(task) != 0; }

  static void dispose(completion_block* block) noexcept {
    const std::size_t bytes = size(block->capacity);
    block->~completion_block();
    free_frame(block, bytes);
  }

  [[nodiscard]] bool is_enough() const noexcept MAGPIE_REQUIRES(lock) {
    return arrived >= enough || decisive != nullptr;
  }
  [[nodiscard]] completion_wait* end_wait() noexcept MAGPIE_REQUIRES(lock) {
    return std::exchange(waiting, nullptr);
  }
  /// Adds the node to those that have arrived. Returns the wait that ends by it, for the caller to
  /// wake after the lock; null for none.
  [[nodiscard]] completion_wait* take(node& which) noexcept MAGPIE_REQUIRES(lock);
  /// From now on no task decides, and the wait is for all.
  void wait_for_all() noexcept MAGPIE_REQUIRES(lock) {
    decides = deciding_end::none;
    decisive = nullptr;
    enough = count;
  }

  static void arrive(job& self, worker& here) noexcept;
  [[nodiscard]] static job* run_out(timer& self) noexcept;

  const std::size_t capacity;
  std::size_t count = 0;  // changed before the first wait only

  spin_lock lock;
  deciding_end decides MAGPIE_GUARDED_BY(lock);
  bool is_abandoned MAGPIE_GUARDED_BY(lock) = false;  // the owner has left
  // The timer is in its wheel, or on its way out.
  bool is_armed MAGPIE_GUARDED_BY(lock) = false;
  // The thread that takes it from here makes it ready.
  completion_wait* waiting MAGPIE_GUARDED_BY(lock) = nullptr;
  std::size_t enough MAGPIE_GUARDED_BY(lock) = 0;    // how many must arrive to end the wait
  std::size_t arrived MAGPIE_GUARDED_BY(lock) = 0;   // how many have arrived
  node* first MAGPIE_GUARDED_BY(lock) = nullptr;     // of those that next() has not returned
  node* last MAGPIE_GUARDED_BY(lock) = nullptr;      // valid if there is a first one
  node* decisive MAGPIE_GUARDED_BY(lock) = nullptr;  // the first that decided
  // One reference of the owner, one of each node that has not arrived, one of an armed timer. The
  // thread that brings the count to 0 disposes of the block.
  std::size_t references MAGPIE_GUARDED_BY(lock);
};

std::uint32_t& completion_block::entry(const task_state_base& task) noexcept {
  constexpr std::uint64_t golden = 0x9E37'79B9'7F4A'7C15;  // 2^64 divided by the golden ratio
  const std::size_t mask = table_size(capacity) - 1;
  const std::uint64_t mixed = reinterpret_cast<std::uintptr_t>(&task) * golden;
  for (auto place = static_cast<std::size_t>(mixed >> 32);; ++place) {
    std::uint32_t& found = table()[place & mask];
    if (found == 0 || &nodes()[found - 1].task == &task) return found;
  }
}

completion_wait* completion_block::take(node& which) noexcept {
  which.has_arrived = true;
  which.next = nullptr;
  if (first == nullptr) {
    first = &which;
  } else {
    last->next = &which;
  }
  last = &which;
  ++arrived;
  if (decisive == nullptr) {
    const bool was_cancelled = which.task.status() == task_status::cancelled;
    if ((decides != deciding_end::none && which.task.has_error()) ||
        (decides == deciding_end::failure_or_cancel && was_cancelled)) {
      decisive = &which;
    }
  }
  return is_enough() ? end_wait() : nullptr;
}

/// The owner may leave as soon as the node has arrived. So nothing of the block is touched after
/// the lock, unless the last reference was this one.
void completion_block::arrive(job& self, worker&) noexcept {
  auto& arriving = static_cast<node&>(self);
  completion_block& block = arriving.block;
  completion_wait* woken = nullptr;
  bool is_last = false;
  {
    const lock_guard guard(block.lock);
    if (!block.is_abandoned) woken = block.take(arriving);
    is_last = --block.references == 0;
  }
  if (woken != nullptr) woken->home().wake(*woken);
  if (is_last) dispose(&block);
}

job* completion_block::run_out(timer& self) noexcept {
  auto& block = static_cast<completion_block&>(self);
  completion_wait* woken = nullptr;
  bool is_last = false;
  {
    const lock_guard guard(block.lock);
    block.is_armed = false;
    woken = block.end_wait();
    is_last = --block.references == 0;
  }
  if (is_last) dispose(&block);
  return woken;
}

completion_watch::completion_watch(std::size_t most, deciding_end decides)
    : block_(::new(allocate_frame(completion_block::size(most))) completion_block(most, decides)) {
  std::fill_n(block_->table(), completion_block::table_size(most), 0U);
}

/// Abandons the block and takes back from the tasks each node that has not arrived. A node whose
/// task has just ended is on its way; it keeps the block, and nothing waits for it here.
completion_watch::~completion_watch() {
  if (block_ == nullptr) return;
  bool all_arrived = false;
  {
    const lock_guard guard(block_->lock);
    block_->is_abandoned = true;
    all_arrived = block_->arrived == block_->count;
  }
  std::size_t dropped = 1 + block_->capacity - block_->count;
  for (std::size_t i = all_arrived ? block_->count : 0; i < block_->count; ++i) {
    completion_block::node& each = block_->nodes()[i];
    if (each.has_arrived) continue;
    if (each.task.remove_waiter(each)) ++dropped;
  }
  bool is_last = false;
  {
    const lock_guard guard(block_->lock);
    block_->references -= dropped;
    is_last = block_->references == 0;
  }
  if (is_last) completion_block::dispose(block_);
}

bool completion_watch::watch(task_state_base& task) {
  const worker* const here = worker::current();
  if (here != nullptr && here->context() != nullptr && &task_of(this_scope(*here)) == &task) {
    throw_invalid_state("a task to wait for other tasks, not itself");
  }
  std::uint32_t& entry = block_->entry(task);
  if (entry != 0) return false;
  MAGPIE_CHECK(block_->count < block_->capacity, "no more tasks to watch than were announced");
  auto* const added = ::new (&block_->nodes()[block_->count]) completion_block::node(*block_, task);
  entry = static_cast<std::uint32_t>(++block_->count);
  if (task.add_waiter(*added)) return true;
  const lock_guard guard(block_->lock);
  static_cast<void>(block_->take(*added));
  --block_->references;
  return true;
}

std::size_t completion_watch::size() const noexcept { return block_->count; }

std::size_t completion_watch::arrived() const noexcept {
  const lock_guard guard(block_->lock);
  return block_->arrived;
}

std::optional<std::size_t> completion_watch::next() noexcept {
  const lock_guard guard(block_->lock);
  completion_block::node* const came = block_->first;
  if (came == nullptr) return std::nullopt;
  block_->first = static_cast<completion_block::node*>(came->next);
  return block_->number_of(*came);
}

task_state_base* completion_watch::decisive() const noexcept {
  const lock_guard guard(block_->lock);
  return block_->decisive == nullptr ? nullptr : &block_->decisive->task;
}

void completion_watch::observe_all() noexcept {
  for (std::size_t i = 0; i < block_->count; ++i) block_->nodes()[i].task.observe();
}

completion_wait::completion_wait(completion_watch& watched, requests_to_wait requests,
                                 const char* what) noexcept
    : forwarding_wait(forwarding_operations_of<completion_wait>),
      watched_(watched),
      what_(what),
      requests_(requests) {}

bool completion_wait::begin(std::size_t enough) {
  static_cast<void>(this_worker("a wait for tasks to be awaited in a task on a runtime"));
  completion_block& block = *watched_.block_;
  const lock_guard guard(block.lock);
  if (block.waiting != nullptr) throw_invalid_state("one task at a time to wait for the next");
  block.enough = enough;
  return block.is_enough();
}

bool completion_wait::suspend_until(std::coroutine_handle<> suspended, time_point deadline) {
  deadline_ = deadline;
  for (;;) {
    if (suspend(suspended, [this] { return enter(); })) return true;
    if (requests_ == requests_to_wait::end_it || found() == cancel_scope::source::none) {
      return false;
    }
    told_before_ = found();
    {
      completion_block& block = *watched_.block_;
      const lock_guard guard(block.lock);
      block.wait_for_all();
    }
    static_cast<void>(cancel_round(reason_found()).forward(*this));
    forget_found();
  }
}

/// Called with the scope's lock held. A coroutine that is woken during the call waits for that
/// lock.
bool completion_wait::enter() noexcept {
  completion_block& block = *watched_.block_;
  {
    const lock_guard guard(block.lock);
    if (block.is_enough()) return false;
    block.waiting = this;
    has_armed_ = deadline_ != time_point::max() && !block.is_armed;
    if (has_armed_) {
      block.is_armed = true;
      ++block.references;
    }
  }
  if (has_armed_) home().arm(block, deadline_);
  return true;
}

/// A task that has not arrived keeps its node, and has not ended: its state is there.
void completion_wait::describe(wait_descriptions& into) const noexcept {
  completion_block& block = *watched_.block_;
  const lock_guard guard(block.lock);
  for (std::size_t i = 0; i < block.count && !into.is_full(); ++i) {
    completion_block::node& each = block.nodes()[i];
    if (!each.has_arrived) into.add({.what = what_, .until = deadline_, .awaited = &each.task});
  }
}

bool completion_wait::withdraw() noexcept {
  completion_block& block = *watched_.block_;
  const lock_guard guard(block.lock);
  return block.waiting == this && block.end_wait() == this;
}

task_state_base* completion_wait::awaited(std::size_t number) noexcept {
  completion_block& block = *watched_.block_;
  return number < block.count ? &block.nodes()[number].task : nullptr;
}

void completion_wait::notify(scope_member& self, cancel_round& round) noexcept {
  auto& wait = static_cast<completion_wait&>(self);
  if (wait.requests_ == requests_to_wait::end_it) return withdraw_at<completion_wait>(self, round);
  wait.scope->assume_locked();
  completion_block& block = *wait.watched_.block_;
  {
    const lock_guard guard(block.lock);
    if (block.waiting != &wait || !wait.is_news()) return;
    block.wait_for_all();
  }
  round.add(wait);
}

void completion_wait::resume_after_wait() {
  // In this order: before the scope is left, enter() may not have armed the timer yet.
  if (is_in_scope()) static_cast<void>(leave());
  stop_timer();
  if (told_before_ != cancel_scope::source::none) throw_cancelled(*scope, told_before_);
  resume();
}

/// A timer that can no longer be disarmed stays armed for the block until it has fired.
void completion_wait::stop_timer() noexcept {
  completion_block& block = *watched_.block_;
  if (!has_armed_ || !home().disarm(block)) return;
  const lock_guard guard(block.lock);
  block.is_armed = false;
  --block.references;
}

}  // namespace magpie::detail
