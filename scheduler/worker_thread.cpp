#include "scheduler/worker_thread.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <ctime>
#include <string>

#include "scheduler/processor_count.hpp"
#include "scheduler/thread_records.hpp"
#include "scheduler/worker_pool.hpp"

namespace magpie::detail {

namespace {

// After this many turns the lanes that usually come last come first, so that a worker whose own
// lanes never run dry still serves the others. The number is prime, so that it does not coincide
// with the program's own rhythm.
constexpr std::uint32_t fairness_interval = 61;

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
  // After a job has gone to the overflow lane, later jobs must follow it there.
  if (!has_overflow_ && ring_.push(item)) [[likely]]
    return;
  push_to_overflow(item);
}

void worker_thread::push_to_overflow(job& item) noexcept {
  has_overflow_ = true;
  pool_.ready.push(index(), item);
}

void worker_thread::push_next(job& item) noexcept {
  if (next_uses_ < most_next_uses_ && slot_.load(std::memory_order_relaxed) == nullptr) {
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
  // No timer slack: a nap lasts no longer than requested.
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  while (job* item = next()) run(*item);
  leave_record(*this);
}

job* worker_thread::next() {
  if (job* item = next_own()) return item;
  return search();
}

void worker_thread::take_over_shared() noexcept {
  std::array<job*, handful> items;
  for (;;) {
    const std::size_t count = pool_.ready.pop_shared(++shared_turn_, items.data(), items.size());
    if (count == 0) return;
    for (std::size_t i = 0; i < count; ++i) push_ready(*items[i]);
  }
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
  // The own and the shared lanes take turns, so that neither starves behind the other while forks
  // never run dry.
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
  // The lane may still hold jobs. Thieves may take them; if the queue overlooked them, the next
  // turn or a search finds them.
  has_overflow_ = !pool_.ready.looks_empty(index());
  return keep_but_first(items.data(), taken);
}

job* worker_thread::next_shared(std::size_t most) noexcept {
  std::array<job*, handful> items;
  return keep_but_first(items.data(), pool_.ready.pop_shared(++shared_turn_, items.data(), most));
}

/// Returns the first of the jobs, or null when there are none. Puts the others into this worker's
/// ring, and into its overflow lane when the ring is full. Jobs from the overflow lane get into the
/// ring ahead of the jobs that are still in that lane: they are older.
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

bool worker_thread::has_work() const noexcept {
  return !forks_.looks_empty() || !ring_.looks_empty() ||
         slot_.load(std::memory_order_acquire) != nullptr;
}

/// Called on the timekeeper's thread.
bool worker_thread::has_ready_work() const noexcept {
  return !ring_.looks_empty() || slot_.load(std::memory_order_relaxed) != nullptr ||
         !pool_.ready.looks_empty(index());
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
