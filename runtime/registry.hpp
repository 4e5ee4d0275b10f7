#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <magpie/clock.hpp>
#include <magpie/detail/thread_mutex.hpp>
#include <magpie/detail/worker.hpp>

namespace magpie::detail {

/// Counts the live tasks of a runtime, so that its end can wait for the last one. Each worker
/// counts what is added and what is removed there, on a line of its own. The proof is in
/// runtime/ending.md.
class registry {
 public:
  explicit registry(std::size_t workers) : counts_(workers) {}

  /// Adds tasks on a worker of this runtime. The worker runs something that is registered itself,
  /// so the registry cannot close during the call.
  void add(const worker& here, std::size_t count) noexcept {
    raise(counts_[here.index()].added, count);
  }

  /// Adds tasks on any other thread. Returns false if nothing may be added there any more.
  [[nodiscard]] bool add_from_outside(std::size_t count);

  /// Refuses what is added from outside, from now on. Any thread, any number of times.
  void refuse_outside() noexcept;

  /// Removes one task, on a worker of this runtime. From then on the runtime may end.
  void remove(const worker& here) noexcept;

  /// Blocks until nothing is registered; from then on nothing can be added. What is registered may
  /// still add more during the call. Returns false if the deadline has passed before.
  [[nodiscard]] bool close_when_empty(time_point deadline = time_point::max());

  /// The same without waiting: returns false if something is registered. Outside of
  /// close_when_empty(), no other thread may remove anything during the call.
  [[nodiscard]] bool close_if_empty() noexcept;

 private:
  struct alignas(64) counts {
    // Both only grow. One worker writes them (release), close_if_empty() reads them (acquire). A
    // thread that sees a removal sees the addition that came before it, on whatever worker that
    // was.
    std::atomic<std::uint64_t> added{0};
    std::atomic<std::uint64_t> removed{0};
  };

  static constexpr std::uint64_t closed_bit = std::uint64_t{1} << 63;

  static void raise(std::atomic<std::uint64_t>& sum, std::size_t count) noexcept {
    sum.store(sum.load(std::memory_order_relaxed) + count, std::memory_order_release);
  }

  void notify() noexcept;

  std::deque<counts> counts_;
  // false -> true once, by close_when_empty(), before a heavy fence and its first look. remove()
  // reads it after its count and a light fence. So either the look sees the removal, or remove()
  // sees that a thread waits.
  std::atomic<bool> is_awaited_{false};
  // What other threads added, and closed_bit once they may add no more. Grows by fetch_add; a
  // thread that is refused adds for a moment too, and takes it back. refuse_outside() closes it, or
  // close_if_empty() by compare-exchange, at a value with which the registry is empty.
  alignas(64) std::atomic<std::uint64_t> added_outside_{0};
  thread_mutex mutex_;  // orders looks and notifications
  thread_condition emptied_;
};

}  // namespace magpie::detail
