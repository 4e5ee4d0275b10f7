#include "scheduler/driver.hpp"

#include <algorithm>
#include <magpie/detail/check.hpp>
#include <magpie/detail/idle_word.hpp>
#include <new>
#include <utility>

#include "scheduler/thread_records.hpp"
#include "scheduler/worker_pool.hpp"

namespace magpie::detail {

driver::driver(worker_pool& pool, worker_thread& self, const scheduler::driving& how)
    : pool_(pool), self_(self), how_(how), random_(how.seed) {
  self_.never_attend();
  self_.never_use_the_slot();
  add_record(self_);
  pool_.sleepers.start_search();
}

driver::~driver() {
  {
    const seat here(*this);
    get_up();
    while (run_next()) {
    }
  }
  remove_record(self_);
}

driver::seat::seat(driver& owner)
    : owner_(owner), before_([&]() -> thread_record& {
        MAGPIE_CHECK(!owner.is_taken_.exchange(true, std::memory_order_acquire),
                     "a runtime without workers to be driven by one thread at a time");
        return exchange_record(owner.self_);
      }()) {}

driver::seat::~seat() {
  static_cast<void>(exchange_record(before_));
  owner_.is_taken_.store(false, std::memory_order_release);
}

bool driver::run_one() {
  const seat here(*this);
  if (is_lying_ && sleeps_on()) return false;
  get_up();
  for (;;) {
    if (run_next() || (fire_timers() && run_next())) return true;
    if (!lie_down()) continue;
    // A thread that arms a timer after this look sees a sleeper, and rings.
    quiet_until_ = pool_.timers.first_deadline();
    return false;
  }
}

scheduler::end_of_run driver::run_until(const scheduler::run_limits& limits) {
  const seat here(*this);
  get_up();
  for (;;) {
    if (limits.is_over()) return scheduler::end_of_run::over;
    if (run_next()) {
      if (turn_ % jobs_between_looks == 0 && how_.time == real_time &&
          clock::now() >= limits.deadline) {
        return scheduler::end_of_run::deadline;
      }
      continue;
    }
    if (fire_timers()) continue;
    if (how_.time == real_time) {
      if (clock::now() >= limits.deadline) return scheduler::end_of_run::deadline;
      sleep_until(limits.deadline);
      continue;
    }
    if (limits.is_expected()) {
      sleep_until(clock::now() + patience);
      continue;
    }
    // A job may have come in before is_expected() turned false.
    if (has_work()) continue;
    const time_point next = std::min(pool_.timers.first_deadline(), limits.deadline);
    if (next == time_point::max()) return scheduler::end_of_run::deadlock;
    virtual_now_.store(std::max(now(), next), std::memory_order_relaxed);
    pool_.timers.fire_due(now());
    if (next == limits.deadline && !has_work()) return scheduler::end_of_run::deadline;
  }
}

bool driver::run_next() {
  // Timers also fire while jobs are ready. Jobs that keep making each other ready would otherwise
  // hold them up.
  if (++turn_ % jobs_between_looks == 0) static_cast<void>(fire_timers());
  job* const item = next();
  if (item == nullptr) return false;
  // No timekeeper notices whether others have waited for long. So each job that calls
  // has_others_waiting() lets them go first.
  self_.raise_attention();
  self_.run(*item);
  return true;
}

job* driver::next() { return how_.seed != 0 ? draw() : first(); }

/// Between two calls only the last job and its timers have made jobs ready, apart from other
/// threads. So the ready lane stays in the order in which its jobs became ready. A fork is what a
/// running job is about to do, so it comes before the jobs that wait. It does not in each turn:
/// forks might never run dry.
job* driver::first() {
  self_.take_over_shared();
  if (turn_ % jobs_between_looks == 0) {
    if (job* const item = self_.next_ready()) return item;
  }
  if (self_.has_forks()) return self_.next_fork();
  return self_.next_ready();
}

/// Draws one of the ready jobs or the newest fork. The draw depends on the seed and on the order in
/// which jobs became ready. That order depends on earlier draws, so all depends on the seed alone.
job* driver::draw() {
  self_.take_over_shared();
  while (job* const item = self_.next_ready()) {
    try {
      ready_.push_back(item);
    } catch (const std::bad_alloc&) {
      return item;
    }
  }
  const std::size_t choices = ready_.size() + (self_.has_forks() ? 1 : 0);
  if (choices == 0) return nullptr;
  const std::size_t drawn = random_() % choices;
  if (drawn == ready_.size()) return self_.next_fork();
  std::swap(ready_[drawn], ready_.back());
  job* const item = ready_.back();
  ready_.pop_back();
  return item;
}

bool driver::has_work() const noexcept { return !ready_.empty() || pool_.has_work(); }

/// Returns true if no publisher has woken the worker and no timer is due.
bool driver::sleeps_on() const noexcept {
  const std::int64_t word = pool_.sleepers.word().load(std::memory_order_acquire);
  return idle_word::wants_waking(word) &&
         (quiet_until_ == time_point::max() || now() < quiet_until_);
}

void driver::get_up() {
  if (std::exchange(is_lying_, false)) pool_.sleepers.get_up(0);
}

bool driver::lie_down() {
  is_lying_ = pool_.sleepers.lie_down(0, [this] { return has_work(); });
  return is_lying_;
}

/// Sleeps until `limit` by the clock, until the first timer, or until something comes from another
/// thread.
void driver::sleep_until(time_point limit) {
  if (!lie_down()) return;
  // A thread that arms a timer after this look sees a sleeper, and rings.
  const time_point until =
      how_.time == real_time ? std::min(limit, pool_.timers.first_deadline()) : limit;
  bell& place = pool_.sleepers.parker_of(0);
  is_lying_ = false;
  if (until == time_point::max()) {
    place.park();
  } else if (!place.park_until(until)) {
    pool_.sleepers.get_up(0);
  }
}

/// Returns false when no job is ready afterwards.
bool driver::fire_timers() {
  pool_.timers.fire_due(now());
  return has_work();
}

}  // namespace magpie::detail
