#include "runtime/registry.hpp"

#include <magpie/asymmetric_fence.hpp>

namespace magpie::detail {

bool registry::add_from_outside(std::size_t count) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return false;
  added_outside_ += count;
  return true;
}

void registry::remove(const worker& here) noexcept {
  raise(counts_[here.index()].removed, 1);
  asymmetric_fence::light();
  if (is_awaited_.load(std::memory_order_relaxed)) [[unlikely]]
    notify();
}

void registry::notify() noexcept {
  const std::lock_guard lock(mutex_);
  emptied_.notify_all();
}

void registry::close_when_empty() {
  is_awaited_.store(true, std::memory_order_relaxed);
  asymmetric_fence::heavy();
  std::unique_lock lock(mutex_);
  emptied_.wait(lock, [this] { return is_empty(); });
  is_closed_ = true;
}

/// With the lock held. All removals are read before all additions. Neither number ever goes down,
/// and at no moment has more been removed than added. So if the sums are equal, then so they were
/// at each moment between the last look at a removal and the first at an addition: it was empty.
/// And it stays so, because only what is registered adds without the lock.
bool registry::is_empty() const noexcept {
  std::uint64_t removed = 0;
  for (const counts& each : counts_) removed += each.removed.load(std::memory_order_acquire);
  std::uint64_t added = added_outside_;
  for (const counts& each : counts_) added += each.added.load(std::memory_order_acquire);
  return added == removed;
}

}  // namespace magpie::detail
