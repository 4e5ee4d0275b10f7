// How a worker without work finds a job: it searches, naps and parks.

#include <array>
#include <chrono>
#include <magpie/detail/pause.hpp>
#include <thread>

#include "scheduler/worker_pool.hpp"
#include "scheduler/worker_thread.hpp"

namespace magpie::detail {

namespace {

// How long a worker naps that sees only work which is too small to share, or no work while others
// compute; and after how many looks in a row without work it parks. Together this is more than the
// price of a wake-up: jobs that come in one by one do not each wake a worker.
constexpr std::chrono::microseconds nap_time{50};
constexpr int looks_before_parking = 8;

}  // namespace

/// Returns a job from elsewhere, however long that takes. Returns null when the pool stops and no
/// job is left.
job* worker_thread::search() {
  if (job* item = next_shared(handful)) {
    pool_.timers.start_watch();
    return item;
  }
  set_context(nullptr);
  pool_.sleepers.start_search();
  const auto has_work = [this] { return pool_.has_work(); };
  for (int looks_in_vain = 0;;) {
    // Read before the look, so that the look finds every job submitted before the stop.
    const bool is_stopping = pool_.is_stopping();
    job* item = look_around(eagerness::asks);
    const bool sees_work = item == nullptr && has_work();
    // The victims had the whole look to answer. A victim that still has work computes, or has not
    // answered yet.
    if (sees_work) item = look_around(eagerness::insists);
    if (item != nullptr) {
      pool_.sleepers.end_search(has_work);
      pool_.timers.start_watch();
      return item;
    }
    looks_in_vain = sees_work ? 0 : looks_in_vain + 1;
    if (looks_in_vain < looks_before_parking && !pool_.sleepers.all_are_idle() && !is_stopping) {
      count(counters_.naps);
      std::this_thread::sleep_for(nap_time);
    } else if (!sees_work) {
      if (is_stopping) {
        pool_.sleepers.end_search(has_work);
        return nullptr;
      }
      count(counters_.parks);
      pool_.sleepers.park(index(), has_work);
      looks_in_vain = 0;
    }
  }
}

job* worker_thread::look_around(eagerness how) {
  if (how == eagerness::asks) {
    for (std::size_t i = 0; i < seen_jobs_.size(); ++i) {
      seen_jobs_[i] = pool_.workers[i].jobs_begun();
    }
  }
  for (int round = 0; round < search_rounds; ++round) {
    if (job* item = take_from_others(how)) return item;
    for (int i = 0; i < pauses_per_round; ++i) pause();
  }
  return nullptr;
}

job* worker_thread::take_from_others(eagerness how) {
  if (job* item = next_shared(handful)) return item;
  const std::size_t workers = pool_.workers.size();
  // Marsaglia, Xorshift RNGs, 2003. A random start spreads the thieves.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  for (std::size_t i = 0; i < workers; ++i) {
    worker_thread& victim = pool_.workers[(random_ + i) % workers];
    job* item = nullptr;
    if (&victim == this) {
      item = next_ready();  // the queue may have overlooked it while thieves used it
    } else if ((item = steal_fork_from(victim, how, [] { return true; })) != nullptr ||
               (item = steal_ready_from(victim, how)) != nullptr) {
      count(counters_.steals);
    }
    if (item != nullptr) return item;
  }
  return nullptr;
}

/// A job that is alone is left to its owner, which will come to it sooner than a thief could carry
/// it over. The thief takes it if the owner has been in one job since the thief's previous look.
job* worker_thread::steal_ready_from(worker_thread& victim, eagerness how) noexcept {
  const bool is_held_up =
      how == eagerness::insists && seen_jobs_[victim.index()] == victim.jobs_begun();
  std::array<job*, handful> items;
  std::size_t taken = victim.ring_.steal(is_held_up ? 1 : 2, items.data(), items.size());
  if (taken == 0) taken = pool_.ready.pop(victim.index(), items.data(), items.size());
  if (taken == 0 && is_held_up) return victim.take_slot();
  return keep_but_first(items.data(), taken);
}

}  // namespace magpie::detail
