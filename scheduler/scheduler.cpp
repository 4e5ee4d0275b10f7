#include <magpie/scheduler.hpp>

#include <array>
#include <magpie/asymmetric_fence.hpp>
#include <utility>

#include "scheduler/outside_call.hpp"
#include "scheduler/worker_pool.hpp"

namespace magpie::detail {

worker_pool::worker_pool(scheduler& home, const scheduler::options& settings)
    : sleepers(settings.workers),
      ready(settings.workers),
      watched_(settings.workers),
      long_runs_(settings.long_runs),
      owner_(settings.owner),
      timers(
          settings.workers,
          [](void* self, job& item) {
            job* const items[] = {&item};
            static_cast<worker_pool*>(self)->submit(items, 1);
          },
          [](void* self, time_point now) { return static_cast<worker_pool*>(self)->watch(now); },
          this) {
  for (std::size_t i = 0; i < settings.workers; ++i) {
    workers.emplace_back(home, *this, i, settings.workers);
  }
  try {
    for (worker_thread& each : workers) each.start(settings.where);
  } catch (...) {
    stop();
    throw;
  }
}

worker_pool::~worker_pool() {
  outside_call::wait_for_all(this);
  stop();
}

void worker_pool::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  sleepers.stop();
  for (worker_thread& each : workers) each.join();
}

void worker_pool::submit(job* const* items, std::size_t count) noexcept {
  ready.push_shared(items, count);
  sleepers.notify();
}

void worker_pool::submit_from_outside(job* const* items, std::size_t count) noexcept {
  const outside_call call(this);
  submit(items, count);
}

bool worker_pool::has_work() const noexcept {
  if (!ready.looks_empty()) return true;
  for (const worker_thread& each : workers) {
    if (each.has_work()) return true;
  }
  return false;
}

scheduler::scheduler(const options& settings)
    : owner_(settings.owner), pool_([&] {
        asymmetric_fence::initialise();
        return std::make_unique<worker_pool>(*this, settings);
      }()) {}

scheduler::~scheduler() = default;

/// A worker that began no job since the last watch, and has a context, has been in one job all the
/// while. If jobs are ready meanwhile, it may be the one that they wait for.
bool worker_pool::watch(time_point now) {
  if (sleepers.all_are_idle()) return false;
  const bool shared_work = !ready.shared_look_empty();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    worker_thread& each = workers[i];
    watched& seen = watched_[i];
    // In this order: a context that is read before the job changes is not taken for the new job's.
    void* const context = each.context();
    const std::uint64_t jobs_begun = each.jobs_begun();
    if (jobs_begun != seen.jobs_begun || context == nullptr) {
      seen = {.jobs_begun = jobs_begun, .since = now};
      continue;
    }
    if (shared_work || each.has_ready_work()) each.ask_for_attention();
    if (now - seen.since >= long_runs_.limit && !seen.is_reported) {
      seen.is_reported = true;
      long_runs_.report(owner_, context, now - seen.since);
    }
  }
  return true;
}

worker* scheduler::worker_here() const noexcept {
  worker* const here = worker::current();
  return here != nullptr && &here->home() == this ? here : nullptr;
}

void scheduler::submit(job& item) noexcept {
  if (worker* const here = worker_here()) return here->make_ready(item);
  job* const items[] = {&item};
  pool_->submit_from_outside(items, 1);
}

void scheduler::wake(job& item) noexcept {
  if (worker* const here = worker_here()) return here->make_ready_next(item);
  job* const items[] = {&item};
  pool_->submit_from_outside(items, 1);
}

void scheduler::submit_all(job& first) noexcept {
  if (worker* const here = worker_here()) return here->make_ready_all(first);
  std::array<job*, 64> items;
  std::size_t count = 0;
  for (job* item = &first; item != nullptr;) {
    items[count++] = item;
    item = item->next;  // read before the submission: a worker may run it at once
    if (count == items.size() || item == nullptr)
      pool_->submit_from_outside(items.data(), std::exchange(count, 0));
  }
}

void scheduler::arm(timer& item, time_point deadline) {
  const worker* const here = worker_here();
  pool_->timers.arm(here != nullptr ? here->index() : 0, item, deadline);
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
