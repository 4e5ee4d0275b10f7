#include "scheduler/worker_thread.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <ctime>
#include <magpie/detail/forked_call.hpp>
#include <magpie/detail/pause.hpp>
#include <string>

#include "scheduler/processor_count.hpp"
#include "scheduler/thread_records.hpp"
#include "scheduler/worker_pool.hpp"

namespace magpie::detail {

namespace {

// Every so many turns the lanes that are usually last come first, so that a worker whose own lanes
// never run dry still serves the others. A prime, so as not to beat with the program's own rhythm.
constexpr std::uint32_t fairness_interval = 61;

// How often within such an interval a job may pass the others by the slot.
constexpr std::uint32_t most_next_uses = 16;

// How long a worker without work looks around before it sleeps: some microseconds, less than a
// sleep and a wake-up cost.
constexpr int search_rounds = 24;
constexpr int pauses_per_round = 4;

// How long a worker sleeps at a time that waits for a thief: longer each time in vain. The thief
// wakes it when it has done; what it sleeps through is only what it might have helped with.
constexpr std::chrono::microseconds shortest_doze{50};
constexpr std::chrono::microseconds longest_doze{400};

// How long a worker naps that sees work which is too small to share, or none while others compute,
// and after how many looks in a row that saw none it parks. Together more than the price of a
// wake-up: work that comes in drops wakes nobody anew for each drop.
constexpr std::chrono::microseconds nap_time{50};
constexpr int looks_before_parking = 8;

void count(std::atomic<std::uint64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

void worker::make_ready(job& item) noexcept {
  auto& self = static_cast<worker_thread&>(*this);
  self.push_ready(item);
  self.announce();
}

void worker::make_ready_next(job& item) noexcept {
  auto& self = static_cast<worker_thread&>(*this);
  self.push_next(item);
  self.announce();
}

void worker::make_ready_all(job& first) noexcept {
  auto& self = static_cast<worker_thread&>(*this);
  for (job* item = &first; item != nullptr;) {
    job* const following = item->next;  // read first: a thief may run it at once
    self.push_ready(*item);
    item = following;
  }
  self.announce();
}

bool worker::settle_fork(job& item, fork_lane::push_result so_far) noexcept {
  while (so_far == fork_lane::push_result::full) {
    if (!forks_.make_room()) return false;
    so_far = forks_.push(item);
  }
  if (so_far == fork_lane::push_result::marked) forks_.answer();
  home_.pool_->sleepers.notify();
  static_cast<worker_thread&>(*this).attend_if_asked();
  return true;
}

bool worker::settle_unfork() noexcept {
  const bool is_there = forks_.finish_pop_if();
  static_cast<worker_thread&>(*this).attend_if_asked();
  return is_there;
}

void worker::wait_for(forked_call& call) noexcept {
  static_cast<worker_thread&>(*this).help_until_done(call);
}

worker_thread::worker_thread(scheduler& home, worker_pool& pool, std::size_t index,
                             std::size_t worker_count)
    : worker(home, index, pool.sleepers.word()),
      pool_(pool),
      random_(0x9E3779B97F4A7C15U * (index + 1)),
      alone_(worker_count == 1),
      seen_jobs_(worker_count) {}

void worker_thread::start(pinning where) {
  thread_ = std::thread([this, where] {
    if (where == pinning::one_processor_each) pin_this_thread(index());
    loop();
  });
}

void worker_thread::join() {
  if (thread_.joinable()) thread_.join();
}

void worker_thread::push_ready(job& item) noexcept {
  // Behind what did not fit before.
  if (!has_overflow_ && ring_.push(item)) [[likely]]
    return;
  push_to_overflow(item);
}

void worker_thread::push_to_overflow(job& item) noexcept {
  has_overflow_ = true;
  pool_.ready.push(index(), item);
}

void worker_thread::push_next(job& item) noexcept {
  if (next_uses_ < most_next_uses && slot_.load(std::memory_order_relaxed) == nullptr) {
    ++next_uses_;
    slot_.store(&item, std::memory_order_release);
  } else {
    push_ready(item);
  }
}

void worker_thread::announce() noexcept { pool_.sleepers.notify(); }

void worker_thread::loop() {
  enter_record(*this);
  ::pthread_setname_np(::pthread_self(), ("magpie-" + std::to_string(index())).c_str());
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // a nap is as long as it says
  while (job* item = next()) run(*item);
  leave_record(*this);
}

job* worker_thread::next() {
  if (job* item = next_own()) return item;
  return search();
}

job* worker_thread::next_without_search() {
  if (job* item = next_own()) return item;
  return next_shared(1);
}

job* worker_thread::next_without_forks() {
  if (job* item = take_slot()) return item;
  if (job* item = next_ready()) return item;
  return next_shared(1);
}

job* worker_thread::next_own() {
  if (++turn_ % fairness_interval == 0) {
    if (job* item = next_in_fairness()) return item;
  }
  if (job* item = take_slot()) return item;
  if (!forks_.looks_empty()) {
    if (job* item = forks_.pop()) return item;
  }
  return next_ready();
}

job* worker_thread::next_in_fairness() {
  next_uses_ = 0;
  // In turns, so that neither of the two starves behind the other while forks never run dry.
  if (own_lane_first_ = !own_lane_first_; own_lane_first_) {
    if (job* item = next_ready()) return item;
  }
  if (job* item = next_shared(1)) return item;
  return next_ready();
}

job* worker_thread::take_slot() noexcept {
  if (slot_.load(std::memory_order_relaxed) == nullptr) return nullptr;
  return slot_.exchange(nullptr, std::memory_order_acquire);
}

job* worker_thread::next_ready() noexcept {
  if (job* item = alone_ ? ring_.pop_alone() : ring_.pop()) return item;
  if (!has_overflow_) return nullptr;
  std::array<job*, handful> items;
  const std::size_t taken = pool_.ready.pop(index(), items.data(), items.size());
  // Thieves may have the rest; or it was overlooked, then the next turn or a search finds it.
  has_overflow_ = !pool_.ready.looks_empty(index());
  return keep_but_first(items.data(), taken);
}

job* worker_thread::next_shared(std::size_t most) noexcept {
  std::array<job*, handful> items;
  return keep_but_first(items.data(), pool_.ready.pop_shared(items.data(), most));
}

/// The first of the jobs; the others go into this worker's ring, before what it has no room for:
/// they are older. Null when there are none.
job* worker_thread::keep_but_first(job** items, std::size_t count) noexcept {
  if (count == 0) return nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    __builtin_prefetch(items[i], 1);
    __builtin_prefetch(reinterpret_cast<const char*>(items[i]) + 64, 1);
  }
  for (std::size_t i = 1; i < count; ++i) {
    if (!ring_.push(*items[i])) push_to_overflow(*items[i]);
  }
  if (count > 1) announce();
  return items[0];
}

/// A job from elsewhere, however long that takes; null when the pool stops and nothing is left.
job* worker_thread::search() {
  if (job* item = next_shared(handful)) {
    pool_.timers.start_watch();
    return item;
  }
  set_context(nullptr);
  pool_.sleepers.start_search();
  const auto has_work = [this] { return pool_.has_work(); };
  for (int looks_in_vain = 0;;) {
    // Before the look: what was submitted before the stop is found by it.
    const bool is_stopping = pool_.is_stopping();
    job* item = look_around(eagerness::asks);
    const bool sees_work = item == nullptr && has_work();
    // Who was asked all the while has not answered, or computes.
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
  // Marsaglia, Xorshift RNGs, 2003: where to begin, so that thieves spread.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  for (std::size_t i = 0; i < workers; ++i) {
    worker_thread& victim = pool_.workers[(random_ + i) % workers];
    job* item = nullptr;
    if (&victim == this) {
      item = next_ready();  // it may have been overlooked while thieves were at it
    } else if ((item = steal_fork_from(victim, how, [] { return true; })) != nullptr ||
               (item = steal_ready_from(victim, how)) != nullptr) {
      count(counters_.steals);
    }
    if (item != nullptr) return item;
  }
  return nullptr;
}

template <class Condition>
job* worker_thread::steal_fork_from(worker_thread& victim, eagerness how,
                                    Condition holds) noexcept {
  job* item = nullptr;
  if (victim.forks_.steal_while(item, holds) != fork_lane::steal_result::hidden) return item;
  victim.forks_.ask();
  if (how == eagerness::insists) {
    count(counters_.raids);
    victim.forks_.raid();
    static_cast<void>(victim.forks_.steal_while(item, holds));
  }
  return item;
}

/// A job that waits alone is its owner's next, who will come to it in less time than it takes to
/// carry it over; unless the owner has been in one job since this thief's look before.
job* worker_thread::steal_ready_from(worker_thread& victim, eagerness how) noexcept {
  const bool is_held_up =
      how == eagerness::insists && seen_jobs_[victim.index()] == victim.jobs_begun();
  std::array<job*, handful> items;
  std::size_t taken = victim.ring_.steal(is_held_up ? 1 : 2, items.data(), items.size());
  if (taken == 0) taken = pool_.ready.pop(victim.index(), items.data(), items.size());
  if (taken == 0 && is_held_up) return victim.take_slot();
  return keep_but_first(items.data(), taken);
}

bool worker_thread::has_work() const noexcept {
  return !forks_.looks_empty() || !ring_.looks_empty() ||
         slot_.load(std::memory_order_acquire) != nullptr;
}

/// The timekeeper's thread.
bool worker_thread::has_ready_work() const noexcept {
  return !ring_.looks_empty() || slot_.load(std::memory_order_relaxed) != nullptr ||
         !pool_.ready.looks_empty(index());
}

void worker_thread::ask_for_attention() noexcept {
  attention_.store(true, std::memory_order_relaxed);
  forks_.ask();
}

/// Ready jobs have waited behind a computation that forks and joins and does not come back to the
/// loop: runs some of them right here. What they leave in the fork lane lies above what is there
/// now, which belongs to the computation, and is run with them.
void worker_thread::attend_if_asked() noexcept {
  if (!attention_.load(std::memory_order_relaxed) || attending_ == most_attending) [[likely]]
    return;
  attention_.store(false, std::memory_order_relaxed);
  ++attending_;
  void* const interrupted = context();
  const auto above = forks_.mark();
  for (std::size_t i = 0; i < handful; ++i) {
    job* item = next_in_fairness();
    if (item == nullptr) break;
    for (; item != nullptr; item = forks_.pop_above(above)) run(*item);
  }
  set_context(interrupted);
  --attending_;
}

/// The lane is empty here: the call was in it, thieves take the oldest first, and what came after
/// the call has been taken back. So what helping leaves there is helping's own.
void worker_thread::help_until_done(forked_call& call) noexcept {
  void* const waiting = context();
  eagerness how = eagerness::asks;
  int rounds_left = search_rounds;
  std::chrono::microseconds doze = shortest_doze;
  while (!call.is_done()) {
    worker* const thief = call.thief();
    job* item = nullptr;
    if (thief != nullptr) {
      // What lies in the thief's lane while it makes the call belongs to the call.
      item = steal_fork_from(static_cast<worker_thread&>(*thief), how,
                             [&call] { return !call.is_done(); });
    }
    if (item != nullptr) {
      count(counters_.steals);
      for (; item != nullptr; item = forks_.pop()) run(*item);
      rounds_left = search_rounds;
      doze = shortest_doze;
      how = eagerness::asks;
    } else if (rounds_left != 0) {
      --rounds_left;
      for (int i = 0; i < pauses_per_round; ++i) pause();
    } else {
      call.doze(doze);
      doze = std::min(2 * doze, longest_doze);
      how = eagerness::insists;
    }
  }
  set_context(waiting);
}

worker_statistics worker_thread::statistics() {
  worker_statistics result;
  result.jobs = counters_.jobs.load(std::memory_order_relaxed);
  result.steals = counters_.steals.load(std::memory_order_relaxed);
  result.raids = counters_.raids.load(std::memory_order_relaxed);
  result.parks = counters_.parks.load(std::memory_order_relaxed);
  result.naps = counters_.naps.load(std::memory_order_relaxed);
  clockid_t processor_clock{};
  timespec time{};
  if (thread_.joinable() &&
      ::pthread_getcpuclockid(thread_.native_handle(), &processor_clock) == 0 &&
      ::clock_gettime(processor_clock, &time) == 0) {
    result.cpu_time = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  return result;
}

}  // namespace magpie::detail
