// How ready jobs that have waited behind a computation run on its stack, at its next fork or
// unfork.

#include "scheduler/worker_thread.hpp"

namespace magpie::detail {

void worker_thread::ask_for_attention() noexcept {
  attention_.store(true, std::memory_order_relaxed);
  forks_.ask();
}

/// Runs ready jobs here, on the stack of the computation, which forks and joins and does not come
/// back to the loop. What these jobs leave in the fork lane lies above the mark and is run with
/// them. What lies below the mark belongs to the computation.
void worker_thread::attend_if_asked() noexcept {
  if (!attention_.load(std::memory_order_relaxed) || attending_ == most_attending) [[likely]]
    return;
  attention_.store(false, std::memory_order_relaxed);
  ++attending_;
  void* const interrupted = context();
  const auto above = forks_.mark();
  for (std::size_t i = 0; i < handful; ++i) {
    job* item = next_in_fairness();
    if (item == nullptr) break;
    for (; item != nullptr; item = forks_.pop_above(above)) run(*item);
  }
  set_context(interrupted);
  --attending_;
}

}  // namespace magpie::detail
