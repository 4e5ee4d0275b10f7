#pragma once

#include <deque>
#include <magpie/scheduler.hpp>

#include "scheduler/futex.hpp"
#include "scheduler/idle.hpp"
#include "scheduler/ready_queue.hpp"
#include "scheduler/timekeeper.hpp"
#include "scheduler/worker_thread.hpp"

namespace magpie::detail {

using idle = basic_idle<parker>;

/// What the workers of one scheduler share.
class worker_pool {
 public:
  worker_pool(scheduler& home, std::size_t workers);
  ~worker_pool();
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  void submit(job& item);

  /// Any job that a worker could take, seen from a worker that has none itself.
  [[nodiscard]] bool has_work() const noexcept;

  [[nodiscard]] bool is_stopping() const noexcept {
    return stopping_.load(std::memory_order_acquire);
  }

  idle sleepers;
  ready_queue ready;
  std::deque<worker_thread> workers;
  timekeeper timers;

 private:
  void stop() noexcept;

  // false -> true once, by stop(), before it wakes everybody.
  std::atomic<bool> stopping_{false};
};

}  // namespace magpie::detail
