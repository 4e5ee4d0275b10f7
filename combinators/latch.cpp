#include <magpie/latch.hpp>

#include <magpie/detail/misuse.hpp>

namespace magpie {

void latch::count_down(std::size_t by) {
  std::size_t before = left_.load(std::memory_order_relaxed);
  do {
    if (by > before) detail::throw_invalid_state("a latch to be counted down by what is left");
  } while (!left_.compare_exchange_weak(before, before - by, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  if (before == by && by != 0) zero_.set();
}

}  // namespace magpie
