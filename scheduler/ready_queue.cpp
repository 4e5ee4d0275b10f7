#include "scheduler/ready_queue.hpp"

#include <concurrentqueue/concurrentqueue.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/thread_mutex.hpp>
#include <new>

namespace magpie::detail {

namespace {

using queue = moodycamel::ConcurrentQueue<job*>;

constexpr std::size_t shared_lane_count = 4;
constexpr std::size_t timer_lane = 0;  // the others are for all other threads

/// The orders in which a thread that takes tries the shared lanes, each in its turn. The timers
/// come first in every second one, because their jobs are due already. Each of the other lanes
/// begins one, so that a thread that floods its lane does not starve the others.
constexpr std::array<std::array<std::uint8_t, shared_lane_count>, 6> orders{{
    {timer_lane, 1, 2, 3},
    {1, 2, 3, timer_lane},
    {timer_lane, 2, 3, 1},
    {2, 3, 1, timer_lane},
    {timer_lane, 3, 1, 2},
    {3, 1, 2, timer_lane},
}};

struct lane {
  explicit lane(queue& items) : token(items) {
    if (!token.valid()) throw std::bad_alloc();
  }

  [[nodiscard]] bool looks_empty() const noexcept {
    return taken.load(std::memory_order_acquire) >= pushed.load(std::memory_order_acquire);
  }

  moodycamel::ProducerToken token;
  // pushed: the number of items that are in the queue for certain. The lane's producer alone writes
  //   it, after the enqueue (release). So a job on its way in is not counted, and its producer has
  //   yet to look for sleepers.
  // taken: the number of items dequeued. Each consumer adds to it after the dequeue (acq_rel).
  //   looks_empty() acquires both.
  alignas(64) std::atomic<std::int64_t> pushed{0};
  alignas(64) std::atomic<std::int64_t> taken{0};
};

bool push_to(queue& items, lane& target, job* const* jobs, std::size_t count) noexcept {
  const bool enqueued = count == 1 ? items.enqueue(target.token, *jobs)
                                   : items.enqueue_bulk(target.token, jobs, count);
  if (!enqueued) return false;
  target.pushed.store(
      target.pushed.load(std::memory_order_relaxed) + static_cast<std::int64_t>(count),
      std::memory_order_release);
  return true;
}

std::size_t pop_from(queue& items, lane& source, job** jobs, std::size_t most) noexcept {
  if (source.looks_empty()) return 0;
  const std::size_t count = items.try_dequeue_bulk_from_producer(source.token, jobs, most);
  if (count != 0) {
    source.taken.fetch_add(static_cast<std::int64_t>(count), std::memory_order_acq_rel);
  }
  return count;
}

/// Jobs for which the queue had no memory.
class stranded_jobs {
 public:
  void push(job* const* items, std::size_t count) noexcept {
    const lock_guard lock(mutex_);
    for (std::size_t i = 0; i < count; ++i) {
      items[i]->next = nullptr;
      (first_ == nullptr ? first_ : last_->next) = items[i];
      last_ = items[i];
    }
    count_.fetch_add(count, std::memory_order_release);
  }

  [[nodiscard]] std::size_t pop(job** items, std::size_t most) noexcept {
    if (looks_empty()) return 0;
    const lock_guard lock(mutex_);
    std::size_t taken = 0;
    for (; taken < most && first_ != nullptr; ++taken) {
      items[taken] = first_;
      first_ = first_->next;
    }
    count_.fetch_sub(taken, std::memory_order_release);
    return taken;
  }

  [[nodiscard]] bool looks_empty() const noexcept {
    return count_.load(std::memory_order_acquire) == 0;
  }

 private:
  thread_mutex mutex_;
  job* first_ MAGPIE_GUARDED_BY(mutex_) = nullptr;
  job* last_ MAGPIE_GUARDED_BY(mutex_) = nullptr;
  // The length of the list. Written under mutex_ (release); looks_empty() acquires it.
  std::atomic<std::size_t> count_{0};
};

/// A thread always uses the same shared lane, so that its pushes stay in order. next_thread counts
/// the threads that have one; relaxed.
std::size_t shared_lane_of_this_thread() noexcept {
  static std::atomic<std::size_t> next_thread{0};
  thread_local const std::size_t mine = next_thread.fetch_add(1, std::memory_order_relaxed);
  return 1 + mine % (shared_lane_count - 1);
}

}  // namespace

struct ready_queue::lanes {
  explicit lanes(std::size_t workers) {
    for (std::size_t i = 0; i < workers; ++i) own.emplace_back(items);
    for (std::size_t i = 0; i < shared_lane_count; ++i) shared.emplace_back(items);
  }

  struct shared_lane : lane {
    using lane::lane;
    spin_lock producers;  // a token serves one thread at a time
  };

  void push_shared(std::size_t index, job* const* jobs, std::size_t count) noexcept {
    const lock_guard lock(shared[index].producers);
    if (!push_to(items, shared[index], jobs, count)) stranded.push(jobs, count);
  }

  queue items;
  std::deque<lane> own;
  std::deque<shared_lane> shared;
  stranded_jobs stranded;
};

ready_queue::ready_queue(std::size_t workers) : lanes_(std::make_unique<lanes>(workers)) {}
ready_queue::~ready_queue() = default;

void ready_queue::push(std::size_t worker, job& item) noexcept {
  job* const items[] = {&item};
  if (!push_to(lanes_->items, lanes_->own[worker], items, 1)) lanes_->stranded.push(items, 1);
}

void ready_queue::push_shared(job* const* items, std::size_t count) noexcept {
  lanes_->push_shared(shared_lane_of_this_thread(), items, count);
}

void ready_queue::push_of_timer(job& item) noexcept {
  job* const items[] = {&item};
  lanes_->push_shared(timer_lane, items, 1);
}

std::size_t ready_queue::pop(std::size_t worker, job** items, std::size_t most) noexcept {
  return pop_from(lanes_->items, lanes_->own[worker], items, most);
}

std::size_t ready_queue::pop_shared(std::size_t turn, job** items, std::size_t most) noexcept {
  for (const std::size_t index : orders[turn % orders.size()]) {
    const std::size_t count = pop_from(lanes_->items, lanes_->shared[index], items, most);
    if (count != 0) return count;
  }
  return lanes_->stranded.pop(items, most);
}

bool ready_queue::looks_empty() const noexcept {
  for (const lane& each : lanes_->own) {
    if (!each.looks_empty()) return false;
  }
  return shared_look_empty();
}

bool ready_queue::looks_empty(std::size_t worker) const noexcept {
  return lanes_->own[worker].looks_empty();
}

bool ready_queue::shared_look_empty() const noexcept {
  for (const lane& each : lanes_->shared) {
    if (!each.looks_empty()) return false;
  }
  return lanes_->stranded.looks_empty();
}

}  // namespace magpie::detail
