#include <magpie/detail/forked_call.hpp>

#include <magpie/detail/futex.hpp>

namespace magpie::detail {

void forked_call::end() noexcept {
  // Once the call is done this object may be gone. The word's address is enough to wake the forker.
  // A thread that by now sleeps on another word at that address may wake for no reason, which
  // futex_wait allows.
  const std::atomic<std::uint32_t>& word = state_;
  if (state_.exchange(is_done_mark, std::memory_order_acq_rel) == is_awaited_mark) {
    futex_wake_one(word);
  }
}

void forked_call::doze(std::chrono::microseconds time) noexcept {
  std::uint32_t expected = 0;
  if (!state_.compare_exchange_strong(expected, is_awaited_mark, std::memory_order_acquire) &&
      expected == is_done_mark) {
    return;
  }
  futex_wait(state_, is_awaited_mark, std::chrono::steady_clock::now() + time);
}

}  // namespace magpie::detail
