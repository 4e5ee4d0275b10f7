#pragma once

#include <atomic>
#include <cstdint>
#include <magpie/detail/slot_pool.hpp>

namespace magpie::detail {

/// What keeps the state of a task. A *handle* is one of the task's own type, through which its
/// result can be read, and taken if there is no other. A *visit* is whatever else keeps the state:
/// an any_task_handle, a listing of tasks, a cancel round. The task itself keeps it while it runs.
///
/// The count lies in the header of the state's slot. The thread that drops the last reference
/// disposes of the state, and sees what every other holder did before it dropped its own.
class task_references {
 public:
  explicit task_references(slot_header& of) noexcept : count_(of.references) {}

  /// 0 -> the task runs, has one handle and so many visits. try_visit() sees what was before.
  void publish(std::uint64_t visits) noexcept {
    count_.store(still_running | one_handle | visits * one_visit, std::memory_order_release);
  }

  // For a holder of any reference.

  void add_handle() noexcept { count_.fetch_add(one_handle, std::memory_order_relaxed); }
  void add_visit() noexcept { count_.fetch_add(one_visit, std::memory_order_relaxed); }
  /// The caller's handle becomes a visit.
  void turn_handle_into_visit() noexcept {
    count_.fetch_add(one_visit - one_handle, std::memory_order_acq_rel);
  }

  /// Adds a visit if there is any reference. Returns false for none: there is no state.
  [[nodiscard]] bool try_visit() noexcept {
    std::uint64_t seen = count_.load(std::memory_order_relaxed);
    do {
      if (seen == 0) return false;
    } while (!count_.compare_exchange_weak(seen, seen + one_visit, std::memory_order_acquire,
                                           std::memory_order_relaxed));
    return true;
  }

  // Each returns true if that was the last reference.

  [[nodiscard]] bool drop_handle() noexcept { return drop(one_handle); }
  [[nodiscard]] bool end_visit() noexcept { return drop(one_visit); }
  /// Once, after the end of the task has been published.
  [[nodiscard]] bool end_run() noexcept { return drop(still_running); }

  /// Returns true until end_run().
  [[nodiscard]] bool is_running() const noexcept {
    return (count_.load(std::memory_order_acquire) & still_running) != 0;
  }

  /// Returns true if there is exactly one handle: nobody else can read the result, or reads it.
  [[nodiscard]] bool is_one_handle() const noexcept {
    const std::uint64_t seen = count_.load(std::memory_order_acquire);
    return seen % one_visit == one_handle;
  }

 private:
  // Handles in the low 32 bits, visits in the next 31.
  static constexpr std::uint64_t one_handle = 1;
  static constexpr std::uint64_t one_visit = std::uint64_t{1} << 32;
  static constexpr std::uint64_t still_running = std::uint64_t{1} << 63;

  [[nodiscard]] bool drop(std::uint64_t reference) noexcept {
    return count_.fetch_sub(reference, std::memory_order_acq_rel) == reference;
  }

  std::atomic<std::uint64_t>& count_;
};

}  // namespace magpie::detail
