#include <magpie/detail/scheduler.hpp>

#include <algorithm>
#include <array>
#include <magpie/detail/asymmetric_fence.hpp>
#include <utility>

#include "scheduler/outside_call.hpp"
#include "scheduler/worker_pool.hpp"

namespace magpie {

time_point now() noexcept {
  const detail::worker* const here = detail::worker::current();
  return here != nullptr ? here->home().now() : clock::now();
}

}  // namespace magpie

namespace magpie::detail {

namespace {

std::size_t lanes_of(const scheduler::options& settings) noexcept {
  return std::max<std::size_t>(settings.workers, 1);
}

}  // namespace

worker_pool::worker_pool(scheduler& home, const scheduler::options& settings)
    : sleepers(lanes_of(settings)),
      ready(lanes_of(settings)),
      watched_(settings.workers),
      long_runs_(settings.long_runs),
      owner_(settings.owner),
      timers(make_timers(settings)) {
  const std::size_t lanes = lanes_of(settings);
  for (std::size_t i = 0; i < lanes; ++i) workers.emplace_back(home, *this, i, lanes);
  if (settings.workers == 0) {
    sleepers.parker_of(0).set_ring(settings.driven.ring, settings.owner);
    host = std::make_unique<driver>(*this, workers[0], settings.driven);
    return;
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
  host.reset();
  stop();
}

timekeeper worker_pool::make_timers(const scheduler::options& settings) {
  const auto submit_one = [](void* self, job& item) {
    auto& pool = *static_cast<worker_pool*>(self);
    pool.ready.push_of_timer(item);
    pool.sleepers.notify();
  };
  if (settings.workers == 0) {
    const bool is_virtual = settings.driven.time == virtual_time;
    return {is_virtual ? time_point{} : clock::now(), submit_one, this};
  }
  const auto watch = [](void* self, time_point now) {
    return static_cast<worker_pool*>(self)->watch(now);
  };
  return {settings.workers, submit_one, watch, this};
}

void worker_pool::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  sleepers.stop();
  for (worker_thread& each : workers) each.join();
}

void worker_pool::submit_from_outside(job* const* items, std::size_t count) noexcept {
  const outside_call call(this);
  ready.push_shared(items, count);
  sleepers.notify();
}

void worker_pool::arm(timer& item, time_point deadline, const worker* here) {
  timers.arm(here != nullptr ? here->index() : 0, item, deadline);
  // No timekeeper looks for an earlier timer, and the driver may be asleep.
  if (host != nullptr && here == nullptr) sleepers.notify();
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

/// A worker that has begun no job since the last watch, and has a context, has been in one job all
/// that time. If other jobs are ready, they may be waiting for this worker.
bool worker_pool::watch(time_point now) {
  if (sleepers.all_are_idle()) return false;
  const bool shared_work = !ready.shared_look_empty();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    worker_thread& each = workers[i];
    watched& seen = watched_[i];
    // In this order: if the job changes after the context is read, the count differs. So an old
    // context is never attributed to the new job.
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

void scheduler::arm(timer& item, time_point deadline) { pool_->arm(item, deadline, worker_here()); }

bool scheduler::run_one() { return pool_->host->run_one(); }

scheduler::end_of_run scheduler::run_until(const run_limits& limits) {
  return pool_->host->run_until(limits);
}

time_point scheduler::next_deadline() { return pool_->timers.first_deadline(); }

time_point scheduler::now() const noexcept {
  return pool_->host == nullptr ? clock::now() : pool_->host->now();
}

bool scheduler::disarm(timer& item) noexcept { return pool_->timers.disarm(item); }

std::size_t scheduler::worker_count() const noexcept {
  return pool_->host == nullptr ? lane_count() : 0;
}

std::size_t scheduler::lane_count() const noexcept { return pool_->workers.size(); }

std::vector<worker_statistics> scheduler::statistics() const {
  std::vector<worker_statistics> result;
  for (worker_thread& each : pool_->workers) result.push_back(each.statistics());
  return result;
}

}  // namespace magpie::detail
