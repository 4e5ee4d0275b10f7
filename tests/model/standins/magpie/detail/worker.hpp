#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/job.hpp>

#include "instrumented.hpp"

namespace magpie::detail {

class forked_call;
class scheduler;

/// In place of the real lane, which has a model of its own. A job is in a place of its own here,
/// and whoever takes it exchanges that place: no more order between owner and thief than a push
/// that releases and a theft that acquires.
class fork_lane {
 public:
  enum class push_result { calm, marked, full };
  enum class pop_if_result { popped, other, marked };

  void push(job& item) noexcept {
    RL_ASSERT(size_ < places_.size());
    places_[size_].store(&item, std::memory_order_release);
    size_ += 1;
  }

  bool pop_if(const job& item) noexcept {
    if (size_ == 0) return false;
    job* newest = const_cast<job*>(&item);
    if (take(places_[size_ - 1], newest, std::memory_order_relaxed)) {
      size_ -= 1;
      return true;
    }
    if (newest == nullptr) size_ -= 1;
    return false;
  }

  job* pop() noexcept {
    while (size_ != 0) {
      size_ -= 1;
      if (job* const item = places_[size_].exchange(nullptr, std::memory_order_relaxed)) {
        return item;
      }
    }
    return nullptr;
  }

  /// Any thread.
  job* steal() noexcept {
    for (auto& each : places_) {
      job* item = each.load(std::memory_order_relaxed);
      if (item != nullptr && take(each, item, std::memory_order_acquire)) return item;
    }
    return nullptr;
  }

 private:
  static bool take(model::atomic<job*>& place, job*& item, std::memory_order order) noexcept {
    return place.compare_exchange_strong(item, nullptr, order, std::memory_order_relaxed);
  }

  std::array<model::atomic<job*>, 3> places_{nullptr, nullptr, nullptr};
  std::size_t size_ = 0;  // the owner's own
};

/// In place of the worker: the members that the code asks for, over the lane above. A model makes
/// one for each of its threads.
class worker {
 public:
  /// What a fork and an unfork say of themselves.
  enum class manner {
    calm,    // all is settled at once
    marked,  // settle_fork() and settle_unfork() have to be asked
    full     // there is no memory to offer anything
  };

  worker(std::size_t index, scheduler* home, manner how) noexcept
      : index_(index), home_(home), manner_(how) {
    all[index] = this;
  }
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  [[nodiscard]] static worker* current() noexcept { return all[model::thread_index()]; }
  [[nodiscard]] static worker& here() noexcept { return *current(); }

  [[nodiscard]] fork_lane::push_result fork(job& item) noexcept {
    if (manner_ == manner::full) return fork_lane::push_result::full;
    forks.push(item);
    // As the worker looks at the idle word: others may come in between.
    static_cast<void>(idle_.load(std::memory_order_relaxed));
    return manner_ == manner::calm ? fork_lane::push_result::calm : fork_lane::push_result::marked;
  }
  [[nodiscard]] bool settle_fork(job&, fork_lane::push_result so_far) noexcept {
    return so_far != fork_lane::push_result::full;
  }

  [[nodiscard]] fork_lane::pop_if_result unfork(const job& item) noexcept {
    const bool is_popped = forks.pop_if(item);
    if (manner_ == manner::marked) {
      was_popped_ = is_popped;
      return fork_lane::pop_if_result::marked;
    }
    return is_popped ? fork_lane::pop_if_result::popped : fork_lane::pop_if_result::other;
  }
  [[nodiscard]] bool settle_unfork() noexcept { return was_popped_; }

  /// The model's own.
  void wait_for(forked_call& call) noexcept;

  void make_ready(job& item) noexcept { ready.push(item); }

  [[nodiscard]] scheduler& home() const noexcept { return *home_; }
  [[nodiscard]] std::size_t index() const noexcept { return index_; }
  [[nodiscard]] void* context() const noexcept { return context_; }
  void set_context(void* running) noexcept { context_ = running; }

  fork_lane forks;
  fork_lane ready;

 private:
  static inline std::array<worker*, 8> all{};

  const std::size_t index_;
  scheduler* const home_;
  const manner manner_;
  model::atomic<int> idle_{0};
  bool was_popped_ = false;
  void* context_ = nullptr;
};

}  // namespace magpie::detail
