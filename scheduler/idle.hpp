#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/detail/idle_word.hpp>
#include <magpie/detail/sync.hpp>
#include <mutex>
#include <vector>

namespace magpie::detail {

/// With a lock, which the public headers do without.
struct standard_idle_sync : standard_sync {
  using mutex = std::mutex;
};

/// Who is awake, who searches for work, who sleeps: the parking protocol. README.md has the proof
/// that no job is left behind while a worker sleeps.
///
/// A worker is in one of three states: busy (has a job), searching (awake, without one, looking
/// through everybody's lanes), sleeping. The word counts the latter two; each worker moves itself,
/// except that a waker moves a sleeper to searching before it wakes it, so that the next publisher
/// already sees a searcher and does not wake another.
template <class Parker, class Sync = standard_idle_sync>
class basic_idle {
 public:
  explicit basic_idle(std::size_t workers) : parkers_(workers) { sleepers_.reserve(workers); }

  /// After publishing a job: wakes a sleeper, unless somebody is searching already and so will
  /// find it.
  void notify() {
    Sync::light_fence();
    if (idle_word::wants_waking(word_.load(std::memory_order_relaxed))) wake_one();
  }

  /// busy -> searching.
  void start_search() noexcept {
    word_.fetch_add(idle_word::one_searching, std::memory_order_seq_cst);
  }

  /// searching -> busy: the worker has found a job. Publishers may have relied on this worker as
  /// the only searcher, so when it was the last one and `has_work` sees more, it wakes the next:
  /// sleepers wake in a chain, each by the one before, never in a herd.
  template <class HasWork>
  void end_search(HasWork has_work) {
    const std::int64_t before =
        word_.fetch_sub(idle_word::one_searching, std::memory_order_seq_cst);
    if (idle_word::searching(before) != 1 || idle_word::sleeping(before) == 0) return;
    Sync::heavy_fence();
    if (has_work()) wake_one();
  }

  /// searching -> sleeping -> searching. Returns when woken, or at once when `has_work` sees a job
  /// or the stop has come.
  template <class HasWork>
  void park(std::size_t worker, HasWork has_work) {
    if (lie_down(worker, has_work)) parkers_[worker].park();
  }

  /// The first half of it: searching -> sleeping, from where a publisher's unpark() leads back.
  /// False when the worker is searching still.
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
    // From here on publishers see a sleeper; what was published before they could, this look finds.
    Sync::heavy_fence();
    return !has_work() || !withdraw(worker);
  }

  /// sleeping -> searching of the worker's own accord; after lie_down() unless its parker has been
  /// seen unparked.
  void get_up(std::size_t worker) {
    if (!withdraw(worker)) parkers_[worker].park();
  }

  [[nodiscard]] Parker& parker_of(std::size_t worker) noexcept { return parkers_[worker]; }

  /// No worker is busy, so that none will publish anything.
  [[nodiscard]] bool all_are_idle() const noexcept {
    const std::int64_t word = word_.load(std::memory_order_relaxed);
    return idle_word::searching(word) + idle_word::sleeping(word) ==
           static_cast<std::int64_t>(parkers_.size());
  }

  /// Wakes everybody, now and at each later park.
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

  /// For forks, which read it inline: see idle_word.
  [[nodiscard]] const auto& word() const noexcept { return word_; }

 private:
  void wake_one() {
    mutex_.lock();
    if (sleepers_.empty() || idle_word::searching(word_.load(std::memory_order_relaxed)) != 0) {
      mutex_.unlock();
      return;
    }
    const std::size_t worker = sleepers_.back();  // the last to fall asleep has the warmest cache
    sleepers_.pop_back();
    word_.fetch_add(idle_word::one_searching - idle_word::one_sleeping, std::memory_order_seq_cst);
    mutex_.unlock();
    parkers_[worker].unpark();
  }

  /// Takes the worker off the sleepers, unless a waker was faster: then its permit is on the way.
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

  // How many search and how many sleep: see idle_word. Moved by the workers themselves
  // (start_search, end_search, park) and, sleeping -> searching, by wakers under mutex_. All
  // read-modify-writes are seq_cst, which with the fences orders them against the job lanes.
  alignas(64) typename Sync::template atomic<std::int64_t> word_{0};
  typename Sync::mutex mutex_;
  std::vector<std::size_t> sleepers_;  // guarded by mutex_; as many as the word says
  bool stopped_ = false;               // guarded by mutex_
  std::vector<Parker> parkers_;
};

}  // namespace magpie::detail
