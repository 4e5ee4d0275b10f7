#include <magpie/join.hpp>

#include <magpie/worker.hpp>

namespace magpie::detail {

join_slot::join_slot() noexcept : job(&join::run_stolen), completion(&join::on_child_end) {}

std::coroutine_handle<> join::start(join_slot* slots, std::uint32_t count,
                                    std::coroutine_handle<> parent) noexcept {
  worker& here = *worker::current();
  slots_ = slots;
  count_ = count;
  parent_ = parent;
  task_ = here.task;
  unfinished_.store(count, std::memory_order_relaxed);
  return run_range(here, 0, count, 0);
}

/// Offers [begin, end) but its first child in halves, the largest first, so that a thief, who takes
/// the oldest, gets half of what is left; then the first child is the strand's next.
std::coroutine_handle<> join::run_range(worker& here, std::uint32_t begin, std::uint32_t end,
                                        std::uint32_t strand_begin) noexcept {
  while (end - begin > 1) {
    const std::uint32_t middle = begin + (end - begin) / 2;
    slots_[middle].range_end = end;
    if (!here.fork(slots_[middle])) [[unlikely]]
      break;
    end = middle;
  }
  slots_[begin].range_end = end;
  slots_[begin].strand_begin = strand_begin;
  return slots_[begin].child;
}

std::coroutine_handle<> join::child_ended(join_slot& slot, std::exception_ptr* failure) noexcept {
  if (failure != nullptr) [[unlikely]] {
    std::exception_ptr* none = nullptr;
    first_failure_.compare_exchange_strong(none, failure, std::memory_order_relaxed);
  }
  const auto next = static_cast<std::uint32_t>(&slot - slots_) + 1;
  if (next < count_) {
    worker& here = *worker::current();
    if (next < slot.range_end) [[unlikely]] {
      return run_range(here, next, slot.range_end, slot.strand_begin);
    }
    if (here.unfork(slots_[next])) {
      return run_range(here, next, slots_[next].range_end, slot.strand_begin);
    }
  }
  const std::uint32_t run_by_strand = next - slot.strand_begin;
  if (run_by_strand == count_) return parent_;
  // Unless it is the last one, the parent may be gone after the subtraction.
  const std::coroutine_handle<> parent = parent_;
  if (unfinished_.fetch_sub(run_by_strand, std::memory_order_acq_rel) == run_by_strand) {
    return parent;
  }
  return std::noop_coroutine();
}

std::coroutine_handle<> join::on_child_end(completion& self, std::exception_ptr* failure) noexcept {
  auto& slot = static_cast<join_slot&>(self);
  return slot.owner->child_ended(slot, failure);
}

void join::run_stolen(job& self, worker& here) noexcept {
  auto& slot = static_cast<join_slot&>(self);
  join& owner = *slot.owner;
  here.task = owner.task_;
  const auto begin = static_cast<std::uint32_t>(&slot - owner.slots_);
  owner.run_range(here, begin, slot.range_end, begin).resume();
}

}  // namespace magpie::detail
