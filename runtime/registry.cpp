#include "runtime/registry.hpp"

#include <magpie/detail/asymmetric_fence.hpp>
#include <magpie/detail/lock_guard.hpp>

namespace magpie::detail {

bool registry::add_from_outside(std::size_t count) {
  // Relaxed: a thread that sees the removal sees this addition, which happened before the task
  // could run.
  if ((added_outside_.fetch_add(count, std::memory_order_relaxed) & closed_bit) == 0) return true;
  added_outside_.fetch_sub(count, std::memory_order_relaxed);
  notify();  // a closing thread may have looked in between
  return false;
}

void registry::refuse_outside() noexcept {
  added_outside_.fetch_or(closed_bit, std::memory_order_relaxed);
}

void registry::remove(const worker& here) noexcept {
  raise(counts_[here.index()].removed, 1);
  asymmetric_fence::light();
  if (is_awaited_.load(std::memory_order_relaxed)) [[unlikely]]
    notify();
}

void registry::notify() noexcept {
  const lock_guard lock(mutex_);
  emptied_.notify_all();
}

bool registry::close_when_empty(time_point deadline) {
  is_awaited_.store(true, std::memory_order_relaxed);
  asymmetric_fence::heavy();
  const lock_guard lock(mutex_);
  while (!close_if_empty()) {
    if (deadline == time_point::max()) {
      emptied_.wait(mutex_);
    } else if (!emptied_.wait_until(mutex_, deadline)) {
      return close_if_empty();
    }
  }
  return true;
}

/// Reads all removals before all additions. At no moment has more been removed than added, and
/// neither sum ever goes down. So if the sums read are equal, they were equal at each moment
/// between the last look at a removal and the first look at an addition: the registry was empty.
/// From then on only other threads could add. They have not, if the compare-exchange succeeds.
bool registry::close_if_empty() noexcept {
  std::uint64_t removed = 0;
  for (const counts& each : counts_) removed += each.removed.load(std::memory_order_acquire);
  std::uint64_t outside = added_outside_.load(std::memory_order_acquire);
  std::uint64_t added = outside & ~closed_bit;
  for (const counts& each : counts_) added += each.added.load(std::memory_order_acquire);
  return added == removed && added_outside_.compare_exchange_strong(outside, outside | closed_bit,
                                                                    std::memory_order_acq_rel);
}

}  // namespace magpie::detail
