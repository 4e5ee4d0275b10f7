#include "scheduler/ready_queue.hpp"

#include <concurrentqueue/concurrentqueue.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <new>

namespace magpie::detail {

namespace {

using queue = moodycamel::ConcurrentQueue<job*>;

constexpr std::size_t shared_lane_count = 4;

struct lane {
  explicit lane(queue& items) : token(items) {
    if (!token.valid()) throw std::bad_alloc();
  }

  [[nodiscard]] bool looks_empty() const noexcept {
    return taken.load(std::memory_order_acquire) >= pushed.load(std::memory_order_acquire);
  }

  moodycamel::ProducerToken token;
  // pushed: items that are in the queue for sure; only the lane's producer writes it, after the
  //   enqueue, so a job that is still on its way in is not counted and its producer has yet to
  //   look for sleepers.
  // taken: items dequeued by anybody, counted after the dequeue.
  alignas(64) std::atomic<std::int64_t> pushed{0};
  alignas(64) std::atomic<std::int64_t> taken{0};
};

void push_to(queue& items, lane& target, job& item) {
  if (!items.enqueue(target.token, &item)) throw std::bad_alloc();
  target.pushed.store(target.pushed.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

job* pop_from(queue& items, lane& source) noexcept {
  if (source.looks_empty()) return nullptr;
  job* item = nullptr;
  if (!items.try_dequeue_from_producer(source.token, item)) return nullptr;
  source.taken.fetch_add(1, std::memory_order_acq_rel);
  return item;
}

/// A thread always uses the same shared lane, so that its pushes stay in order.
std::size_t shared_lane_of_this_thread() noexcept {
  static std::atomic<std::size_t> next_thread{0};
  thread_local const std::size_t mine = next_thread.fetch_add(1, std::memory_order_relaxed);
  return mine % shared_lane_count;
}

}  // namespace

struct ready_queue::lanes {
  explicit lanes(std::size_t workers) {
    for (std::size_t i = 0; i < workers; ++i) own.emplace_back(items);
    for (std::size_t i = 0; i < shared_lane_count; ++i) shared.emplace_back(items);
  }

  struct shared_lane : lane {
    using lane::lane;
    std::mutex producers;  // a token serves one thread at a time
  };

  queue items;
  std::deque<lane> own;
  std::deque<shared_lane> shared;
};

ready_queue::ready_queue(std::size_t workers) : lanes_(std::make_unique<lanes>(workers)) {}
ready_queue::~ready_queue() = default;

void ready_queue::push(std::size_t worker, job& item) {
  push_to(lanes_->items, lanes_->own[worker], item);
}

std::unique_lock<std::mutex> ready_queue::push_shared(job& item) {
  lanes::shared_lane& lane = lanes_->shared[shared_lane_of_this_thread()];
  std::unique_lock lock(lane.producers);
  push_to(lanes_->items, lane, item);
  return lock;
}

void ready_queue::wait_for_callers() {
  for (lanes::shared_lane& each : lanes_->shared) const std::lock_guard lock(each.producers);
}

job* ready_queue::pop(std::size_t worker) noexcept {
  return pop_from(lanes_->items, lanes_->own[worker]);
}

job* ready_queue::pop_shared() noexcept {
  // The callers' lanes take turns, so that one flooding thread does not starve the others.
  thread_local std::size_t first = 0;
  ++first;
  for (std::size_t i = 0; i < shared_lane_count; ++i) {
    if (job* item = pop_from(lanes_->items, lanes_->shared[(first + i) % shared_lane_count])) {
      return item;
    }
  }
  return nullptr;
}

bool ready_queue::looks_empty() const noexcept {
  for (const lane& each : lanes_->own) {
    if (!each.looks_empty()) return false;
  }
  for (const lane& each : lanes_->shared) {
    if (!each.looks_empty()) return false;
  }
  return true;
}

}  // namespace magpie::detail
