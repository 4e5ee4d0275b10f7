#include <magpie/detail/asymmetric_fence.hpp>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <magpie/detail/check.hpp>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/detail/sync.hpp>
#include <thread>

namespace magpie::detail {

std::atomic<bool> asymmetric_fence::symmetric_{true};

namespace {

long membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0, 0); }

}  // namespace

void asymmetric_fence::initialise() noexcept {
  if (MAGPIE_THREAD_SANITIZER == 0 && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0) {
    symmetric_.store(false, std::memory_order_seq_cst);
  }
}

void asymmetric_fence::heavy() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (symmetric_.load(std::memory_order_relaxed)) return;
  const long result = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  MAGPIE_CHECK(result == 0, "membarrier to work after it was registered");
}

void standard_sync::pause() noexcept { std::this_thread::yield(); }

}  // namespace magpie::detail
