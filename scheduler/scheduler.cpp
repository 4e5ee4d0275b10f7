#include <magpie/scheduler.hpp>

#include <magpie/asymmetric_fence.hpp>

#include "scheduler/worker_pool.hpp"

namespace magpie::detail {

worker_pool::worker_pool(scheduler& home, std::size_t worker_count)
    : sleepers(worker_count),
      ready(worker_count),
      timers(
          worker_count,
          [](void* self, job& item) { static_cast<worker_pool*>(self)->submit(item); }, this) {
  for (std::size_t i = 0; i < worker_count; ++i) workers.emplace_back(home, *this, i);
  try {
    for (worker_thread& each : workers) each.start();
  } catch (...) {
    stop();
    throw;
  }
}

worker_pool::~worker_pool() {
  ready.wait_for_callers();
  stop();
}

void worker_pool::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  sleepers.stop();
  for (worker_thread& each : workers) each.join();
}

void worker_pool::submit(job& item) {
  const auto visit = ready.push_shared(item);
  sleepers.notify();
}

bool worker_pool::has_work() const noexcept {
  if (!ready.looks_empty()) return true;
  for (const worker_thread& each : workers) {
    if (each.has_forks()) return true;
  }
  return false;
}

scheduler::scheduler(const options& settings)
    : owner_(settings.owner), pool_([&] {
        asymmetric_fence::initialise();
        return std::make_unique<worker_pool>(*this, settings.workers);
      }()) {}

scheduler::~scheduler() = default;

void scheduler::submit(job& item) {
  worker* const here = worker::current();
  if (here != nullptr && &here->home() == this) return here->make_ready(item);
  pool_->submit(item);
}

void scheduler::arm(timer& item, time_point deadline) {
  worker* const here = worker::current();
  const bool at_home = here != nullptr && &here->home() == this;
  pool_->timers.arm(at_home ? here->index() : 0, item, deadline);
}

bool scheduler::disarm(timer& item) noexcept { return pool_->timers.disarm(item); }

void scheduler::flush_timers() { pool_->timers.flush(); }

std::size_t scheduler::worker_count() const noexcept { return pool_->workers.size(); }

std::vector<worker_statistics> scheduler::statistics() const {
  std::vector<worker_statistics> result;
  for (worker_thread& each : pool_->workers) result.push_back(each.statistics());
  return result;
}

}  // namespace magpie::detail
