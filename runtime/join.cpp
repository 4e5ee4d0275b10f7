#include <magpie/detail/join.hpp>

namespace magpie::detail {

std::coroutine_handle<> join::run_after_settling(worker& here, fork_lane::push_result forked,
                                                 std::uintptr_t child) noexcept {
  // Without memory for the fork, the rest is made ready instead.
  if (!here.settle_fork(*this, forked)) here.make_ready(*this);
  return run(here, child);
}

std::coroutine_handle<> join::start_below(join& below, worker& here) noexcept {
  return below.start(here, below.children_[0], below.count_);
}

/// The parent is a coroutine or, below the topmost join, a child of another one.
std::coroutine_handle<> join::go_on(const continuation& parent) noexcept {
  return parent.is_awaiter() ? parent.awaiter() : child_ended(parent);
}

std::coroutine_handle<> join::earlier_child_ended() noexcept {
  worker& here = worker::here();
  if (take_rest_back(here)) [[likely]]
    return run_next(here);
  return strand_ended();
}

/// Unless this strand was the last one, the join may be gone after the subtraction.
std::coroutine_handle<> join::strand_ended() noexcept {
  const continuation parent = parent_;
  if (missing_.fetch_sub(1, std::memory_order_acq_rel) != 1) return std::noop_coroutine();
  return go_on(parent);
}

std::coroutine_handle<> join::last_strand_ended() noexcept {
  const continuation parent = parent_;
  const auto takings = static_cast<std::int32_t>(takings_);
  if (takings != 0 && missing_.fetch_add(takings, std::memory_order_acq_rel) + takings != 0) {
    return std::noop_coroutine();
  }
  return go_on(parent);
}

void join::note_failure(failure_word& failure) noexcept {
  join* topmost = this;
  while (join* const above = topmost->parent_.target_join()) topmost = above;
  failure_word* none = nullptr;
  topmost->first_failure_.compare_exchange_strong(none, &failure, std::memory_order_relaxed);
}

void join::run_taken(job& self, worker& here) noexcept {
  auto& taken = static_cast<join&>(self);
  taken.begin_strand(here);
  taken.run_next(here).resume();
}

}  // namespace magpie::detail
