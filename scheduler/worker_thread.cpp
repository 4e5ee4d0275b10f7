#include "scheduler/worker_thread.hpp"

#include <pthread.h>

#include <ctime>
#include <string>

#include "scheduler/worker_pool.hpp"

namespace magpie::detail {

namespace {

// Every so many turns the lanes that are usually last come first, so that a worker whose own lanes
// never run dry still serves the others. A prime, so as not to beat with the program's own rhythm.
constexpr std::uint32_t fairness_interval = 61;

// How long a worker without work looks around before it sleeps: some microseconds, less than a
// sleep and a wake-up cost.
constexpr int search_rounds = 24;
constexpr int pauses_per_round = 4;

constinit thread_local worker* current_worker = nullptr;

void count(std::atomic<std::uint64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

[[gnu::noinline]] worker* worker::current() noexcept {
  worker* result = current_worker;
  // Nothing about the result may be deduced from an earlier call.
  asm volatile("" : "+r"(result));
  return result;
}

void worker::make_ready(job& item) {
  home_.pool_->ready.push(index_, item);
  home_.pool_->sleepers.notify();
}

void worker::wake_thief() noexcept { home_.pool_->sleepers.notify(); }

worker_thread::worker_thread(scheduler& home, worker_pool& pool, std::size_t index)
    : worker(home, index, pool.sleepers.word()),
      pool_(pool),
      random_(0x9E3779B97F4A7C15U * (index + 1)) {}

void worker_thread::start() {
  thread_ = std::thread([this] { loop(); });
}

void worker_thread::join() {
  if (thread_.joinable()) thread_.join();
}

void worker_thread::loop() {
  current_worker = this;
  ::pthread_setname_np(::pthread_self(), ("magpie-" + std::to_string(index())).c_str());
  while (job* item = next()) {
    count(counters_.jobs);
    item->run(*item, *this);
  }
  current_worker = nullptr;
}

job* worker_thread::next() {
  if (++turn_ % fairness_interval == 0) {
    if (job* item = next_in_fairness()) return item;
  }
  if (job* item = forks_.pop()) return item;
  if (job* item = pool_.ready.pop(index())) return item;
  return search();
}

job* worker_thread::next_in_fairness() {
  // In turns, so that neither of the two starves behind the other while forks never run dry.
  if (turn_ / fairness_interval % 2 == 0) {
    if (job* item = pool_.ready.pop(index())) return item;
  }
  if (job* item = pool_.ready.pop_shared()) return item;
  return pool_.ready.pop(index());
}

/// A job from elsewhere, however long that takes; null when the pool stops and nothing is left.
job* worker_thread::search() {
  if (job* item = pool_.ready.pop_shared()) return item;
  pool_.sleepers.start_search();
  const auto has_work = [this] { return pool_.has_work(); };
  eagerness how = eagerness::asks;
  for (;;) {
    for (int round = 0; round < search_rounds; ++round) {
      if (job* item = take_from_others(how)) {
        pool_.sleepers.end_search(has_work);
        return item;
      }
      for (int i = 0; i < pauses_per_round; ++i) pause();
    }
    if (has_work()) {
      how = eagerness::raids;  // who was asked all the while has not answered
      continue;
    }
    if (pool_.is_stopping()) {
      pool_.sleepers.end_search(has_work);
      return nullptr;
    }
    count(counters_.parks);
    pool_.sleepers.park(index(), has_work);
    how = eagerness::asks;
  }
}

job* worker_thread::take_from_others(eagerness how) {
  if (job* item = pool_.ready.pop_shared()) return item;
  const std::size_t workers = pool_.workers.size();
  // Marsaglia, Xorshift RNGs, 2003: where to begin, so that thieves spread.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  for (std::size_t i = 0; i < workers; ++i) {
    worker_thread& victim = pool_.workers[(random_ + i) % workers];
    job* item = &victim != this ? steal_from(victim, how) : nullptr;
    // The own ready lane too: next() may have overlooked an item there while thieves were at it.
    if (item == nullptr) item = pool_.ready.pop(victim.index());
    if (item != nullptr) {
      if (&victim != this) count(counters_.steals);
      return item;
    }
  }
  return nullptr;
}

job* worker_thread::steal_from(worker_thread& victim, eagerness how) noexcept {
  job* item = nullptr;
  if (victim.forks().steal(item) != fork_lane::steal_result::hidden) return item;
  victim.forks().ask();
  if (how == eagerness::raids) {
    victim.forks().raid();
    static_cast<void>(victim.forks().steal(item));
  }
  return item;
}

worker_statistics worker_thread::statistics() {
  worker_statistics result;
  result.jobs = counters_.jobs.load(std::memory_order_relaxed);
  result.steals = counters_.steals.load(std::memory_order_relaxed);
  result.parks = counters_.parks.load(std::memory_order_relaxed);
  clockid_t processor_clock{};
  timespec time{};
  if (::pthread_getcpuclockid(thread_.native_handle(), &processor_clock) == 0 &&
      ::clock_gettime(processor_clock, &time) == 0) {
    result.cpu_time = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  return result;
}

}  // namespace magpie::detail
