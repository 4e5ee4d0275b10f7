#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/runtime.hpp>
#include <magpie/timeout.hpp>

#include "support/process_memory.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// A timer whose task has ended leaves nothing behind, however far off its time is.

namespace {

using namespace std::chrono_literals;
using magpie::test::scaled;

class timeout_memory : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(timeout_memory);

magpie::task<> end_at_once() { co_return; }

magpie::task<> set_timeouts(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await magpie::wait_for(end_at_once(), 1000h);
}

TEST_P(timeout_memory, stays_as_it_was) {
  runtime.block_on(set_timeouts(scaled(1e5)));
  const std::size_t frames = magpie::frame_statistics().live_bytes;
  const std::size_t resident = magpie::test::resident_bytes();
  runtime.block_on(set_timeouts(scaled(1e7)));
  EXPECT_EQ(magpie::frame_statistics().live_bytes, frames);
#if !MAGPIE_ADDRESS_SANITIZER && !MAGPIE_THREAD_SANITIZER  // they keep what was freed, and shadows
  // Something else may have grown by a page or two; a byte for each timeout would be more.
  EXPECT_LE(magpie::test::resident_bytes(), resident + scaled(1e7) / 2 + (std::size_t{1} << 16));
#else
  static_cast<void>(resident);
#endif
}

}  // namespace
