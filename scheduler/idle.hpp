#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/detail/idle_word.hpp>
#include <magpie/detail/sync.hpp>
#include <mutex>
#include <vector>

namespace magpie::detail {

/// With a mutex, which the public headers do without.
struct standard_idle_sync : standard_sync {
  using mutex = std::mutex;
};

/// The parking protocol: which workers are awake, search or sleep. scheduler/parking.md has the
/// proof that no job is left behind while a worker sleeps.
///
/// A worker is in one of three states: busy (it has a job), searching (it is awake without a job
/// and looks through the lanes of all workers), or sleeping. The word counts the searching and the
/// sleeping workers. Each worker moves itself, except that a waker moves a sleeper to searching
/// before it wakes it. So the next publisher already sees a searcher and does not wake another.
template <class Parker, class Sync = standard_idle_sync>
class basic_idle {
 public:
  explicit basic_idle(std::size_t workers) : parkers_(workers) { sleepers_.reserve(workers); }

  /// Called after a job was published: wakes a sleeper, unless a worker is searching, which will
  /// then find the job.
  void notify() {
    Sync::light_fence();
    if (idle_word::wants_waking(word_.load(std::memory_order_relaxed))) wake_one();
  }

  /// busy -> searching.
  void start_search() noexcept {
    word_.fetch_add(idle_word::one_searching, std::memory_order_seq_cst);
  }

  /// searching -> busy, when the worker has found a job. Publishers may have relied on this worker
  /// as the only searcher. So if it was the last searcher, a worker sleeps, and `has_work` sees
  /// another job, it wakes the next worker. Sleepers wake in a chain, each woken by the one before,
  /// never in a herd.
  template <class HasWork>
  void end_search(HasWork has_work) {
    const std::int64_t before =
        word_.fetch_sub(idle_word::one_searching, std::memory_order_seq_cst);
    if (idle_word::searching(before) != 1 || idle_word::sleeping(before) == 0) return;
    Sync::heavy_fence();
    if (has_work()) wake_one();
  }

  /// searching -> sleeping -> searching. Blocks until woken. Returns at once when `has_work` sees a
  /// job or stop() has been called.
  template <class HasWork>
  void park(std::size_t worker, HasWork has_work) {
    if (lie_down(worker, has_work)) parkers_[worker].park();
  }

  /// The first half of park(): searching -> sleeping; a publisher's unpark() leads back. Returns
  /// false when the worker is still searching.
  template <class HasWork>
  [[nodiscard]] bool lie_down(std::size_t worker, HasWork has_work) {
    mutex_.lock();
    if (stopped_) {
      mutex_.unlock();
      return false;
    }
    sleepers_.push_back(worker);
    word_.fetch_add(idle_word::one_sleeping - idle_word::one_searching, std::memory_order_seq_cst);
    mutex_.unlock();
    // From here on publishers see a sleeper. This look finds every job that was published before.
    Sync::heavy_fence();
    return !has_work() || !withdraw(worker);
  }

  /// sleeping -> searching by the worker itself. To be called after lie_down() returned true,
  /// unless the worker's parker has already consumed the unpark().
  void get_up(std::size_t worker) {
    if (!withdraw(worker)) parkers_[worker].park();
  }

  [[nodiscard]] Parker& parker_of(std::size_t worker) noexcept { return parkers_[worker]; }

  /// Returns true when no worker is busy, so that none will publish a job.
  [[nodiscard]] bool all_are_idle() const noexcept {
    const std::int64_t word = word_.load(std::memory_order_relaxed);
    return idle_word::searching(word) + idle_word::sleeping(word) ==
           static_cast<std::int64_t>(parkers_.size());
  }

  /// Wakes all sleepers. Later parks return at once.
  void stop() {
    mutex_.lock();
    stopped_ = true;
    word_.fetch_add((idle_word::one_searching - idle_word::one_sleeping) *
                        static_cast<std::int64_t>(sleepers_.size()),
                    std::memory_order_seq_cst);
    for (const std::size_t worker : sleepers_) parkers_[worker].unpark();
    sleepers_.clear();
    mutex_.unlock();
  }

  /// For forks, which read the word inline: see idle_word.
  [[nodiscard]] const auto& word() const noexcept { return word_; }

 private:
  void wake_one() {
    mutex_.lock();
    if (sleepers_.empty() || idle_word::searching(word_.load(std::memory_order_relaxed)) != 0) {
      mutex_.unlock();
      return;
    }
    // The last to fall asleep has the warmest cache.
    const std::size_t worker = sleepers_.back();
    sleepers_.pop_back();
    word_.fetch_add(idle_word::one_searching - idle_word::one_sleeping, std::memory_order_seq_cst);
    mutex_.unlock();
    parkers_[worker].unpark();
  }

  /// Removes the worker from the sleepers. Returns false when a waker has removed it first; then an
  /// unpark() follows.
  bool withdraw(std::size_t worker) {
    mutex_.lock();
    for (std::size_t& each : sleepers_) {
      if (each == worker) {
        each = sleepers_.back();
        sleepers_.pop_back();
        word_.fetch_add(idle_word::one_searching - idle_word::one_sleeping,
                        std::memory_order_seq_cst);
        mutex_.unlock();
        return true;
      }
    }
    mutex_.unlock();
    return false;
  }

  // The number of searching and of sleeping workers: see idle_word.
  //   busy -> searching: start_search(), by the worker.
  //   searching -> busy: end_search(), by the worker.
  //   searching -> sleeping: lie_down(), by the worker, under mutex_.
  //   sleeping -> searching: wake_one(), by a waker; withdraw(), by the worker; stop(), for all
  //     sleepers; each under mutex_.
  // All read-modify-writes are seq_cst, which with the fences orders them against the job lanes.
  alignas(64) typename Sync::template atomic<std::int64_t> word_{0};
  typename Sync::mutex mutex_;
  std::vector<std::size_t> sleepers_;  // guarded by mutex_; as many as the word counts
  bool stopped_ = false;               // guarded by mutex_
  std::vector<Parker> parkers_;
};

}  // namespace magpie::detail
