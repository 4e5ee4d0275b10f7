#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>
#include <thread>
#include <vector>

#include "scheduler/ready_ring.hpp"

namespace magpie::detail {

/// A worker with its thread and its loop.
class worker_thread final : public worker {
 public:
  worker_thread(scheduler& home, worker_pool& pool, std::size_t index, std::size_t worker_count);

  /// Runs the loop on a thread of its own. A pinned worker runs on processor number `index` of
  /// those that the process may use.
  void start(pinning where);
  void join();

  /// Any thread: returns whether a job lies in this worker's slot, fork lane or ring.
  [[nodiscard]] bool has_work() const noexcept;
  /// Any thread: returns whether a job lies in this worker's slot, ring or overflow lane.
  [[nodiscard]] bool has_ready_work() const noexcept;
  /// Any thread: requests that this worker run ready jobs at its next fork or unfork.
  void ask_for_attention() noexcept;
  /// Any thread: a number that changes with each job that this worker begins.
  [[nodiscard]] std::uint64_t jobs_begun() const noexcept {
    return counters_.jobs.load(std::memory_order_relaxed);
  }
  [[nodiscard]] worker_statistics statistics();

  // For the driver of a worker that has no thread; on the thread that drives.

  void run(job& item) {
    counters_.jobs.store(jobs_begun() + 1, std::memory_order_relaxed);
    item.run(item, *this);
  }
  /// Moves the jobs of the shared lanes to the end of this worker's ready lane.
  void take_over_shared() noexcept;
  /// Returns the oldest job of this worker's ready lane. Null: it is empty, or looks so.
  [[nodiscard]] job* next_ready() noexcept;
  [[nodiscard]] bool has_forks() const noexcept { return !forks_.looks_empty(); }
  [[nodiscard]] job* next_fork() noexcept { return forks_.pop(); }
  void raise_attention() noexcept { attention_.store(true, std::memory_order_relaxed); }
  /// From now on no job overtakes others through the slot.
  void never_use_the_slot() noexcept { most_next_uses_ = 0; }
  /// From now on no fork or unfork runs ready jobs.
  void never_attend() noexcept { attending_ = most_attending; }

  // For the members of worker of the same meaning; on this worker's thread.

  void push_ready(job& item) noexcept;
  void push_next(job& item) noexcept;
  void announce() noexcept;
  void help_until_done(forked_call& call) noexcept;
  void attend_if_asked() noexcept;

 private:
  enum class eagerness { asks, insists };

  void loop();
  [[nodiscard]] job* next();
  [[nodiscard]] job* next_own();
  [[nodiscard]] job* next_in_fairness();
  [[nodiscard]] job* take_slot() noexcept;
  [[nodiscard]] job* next_shared(std::size_t most) noexcept;
  [[nodiscard]] job* search();
  [[nodiscard]] job* look_around(eagerness how);
  [[nodiscard]] job* take_from_others(eagerness how);
  template <class Condition>
  [[nodiscard]] job* steal_fork_from(worker_thread& victim, eagerness how,
                                     Condition holds) noexcept;
  [[nodiscard]] job* steal_ready_from(worker_thread& victim, eagerness how) noexcept;
  void push_to_overflow(job& item) noexcept;
  [[nodiscard]] job* keep_but_first(job** items, std::size_t count) noexcept;

  // How long a worker without work looks around before it sleeps: some microseconds, less than a
  // sleep and a wake-up cost.
  static constexpr int search_rounds = 24;
  static constexpr int pauses_per_round = 4;

  // How many jobs a thief or a refill takes at once.
  static constexpr std::size_t handful = 64;

  // How deep ready jobs that run at a fork or unfork may be nested: each of them may be interrupted
  // in its turn. Each level takes the stack of a computation and keeps the level below waiting.
  static constexpr int most_attending = 8;

  worker_pool& pool_;
  std::thread thread_;
  std::uint32_t turn_ = 0;
  std::uint32_t shared_turn_ = 0;  // number of looks at the shared lanes
  std::uint32_t next_uses_ = 0;    // of the slot, since the last turn of fairness
  // How often within a turn of fairness a job may overtake others through the slot.
  std::uint32_t most_next_uses_ = 16;
  std::uint64_t random_;
  bool own_lane_first_ = false;  // in turns of fairness; changes each time
  int attending_ = 0;            // jobs on the stack that ready jobs have interrupted
  const bool alone_;             // the only worker of its scheduler
  bool has_overflow_ = false;    // jobs of this worker may lie in its lane of the ready queue
  // jobs_begun() of each worker when this worker last began to look around.
  std::vector<std::uint64_t> seen_jobs_;

  // Null, or the job to run next. null -> a job by this worker (release). The job -> null by this
  // worker or a thief (exchange, acquire).
  alignas(64) std::atomic<job*> slot_{nullptr};
  basic_ready_ring<job> ring_;

  // This worker alone writes them, any thread reads them; relaxed, on a line of their own.
  struct alignas(64) counters {
    std::atomic<std::uint64_t> jobs{0};
    std::atomic<std::uint64_t> steals{0};
    std::atomic<std::uint64_t> raids{0};
    std::atomic<std::uint64_t> parks{0};
    std::atomic<std::uint64_t> naps{0};
  };
  static void count(std::atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  counters counters_;
};

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

}  // namespace magpie::detail
