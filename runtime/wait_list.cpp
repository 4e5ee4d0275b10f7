#include <magpie/detail/wait_list.hpp>

#include <magpie/detail/spin_lock.hpp>

namespace magpie::detail {

void wait_list::lock_slowly() noexcept {
  spin_wait waiting;
  do {
    while ((word_.load(std::memory_order_relaxed) & lock_bit) != 0) waiting.once();
  } while ((word_.fetch_or(lock_bit, std::memory_order_acquire) & lock_bit) != 0);
}

}  // namespace magpie::detail
