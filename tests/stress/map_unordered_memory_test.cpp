#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/map_unordered.hpp>
#include <magpie/runtime.hpp>
#include <magpie/yield.hpp>
#include <ranges>

#include "support/process_memory.hpp"
#include "support/scale.hpp"
#include "support/worker_counts.hpp"

// Items of an endless range leave nothing behind when their results have been taken.

namespace {

using magpie::test::scaled;

class map_unordered_memory : public magpie::test::each_worker_count {
 protected:
  magpie::runtime runtime{{.workers = GetParam()}};
};
MAGPIE_FOR_EACH_WORKER_COUNT(map_unordered_memory);

magpie::task<std::uint64_t> now_and_then_yielding(std::uint64_t item) {
  if (item % 3 == 0) co_await magpie::yield();
  co_return item;
}

TEST_P(map_unordered_memory, stays_as_it_was) {
  auto results =
      magpie::map_unordered(std::views::iota(std::uint64_t{0}), 8, &now_and_then_yielding);
  const auto take = [&](std::size_t count) -> magpie::task<> {
    for (std::size_t i = 0; i < count; ++i) {
      const auto taken = co_await results.next();
      EXPECT_TRUE(taken);
    }
  };
  runtime.block_on(take(scaled(1e5)));
  const std::size_t frames = magpie::frame_statistics().live;
  const std::size_t resident = magpie::test::resident_bytes();
  runtime.block_on(take(scaled(1e6)));
  EXPECT_LE(magpie::frame_statistics().live, frames + 64) << "those of at most 8 items more";
#if !MAGPIE_ADDRESS_SANITIZER && !MAGPIE_THREAD_SANITIZER  // they keep what was freed, and shadows
  // Something else may have grown by a few pages; a byte for each item would be more.
  EXPECT_LE(magpie::test::resident_bytes(), resident + scaled(1e6) / 2 + (std::size_t{1} << 18));
#else
  static_cast<void>(resident);
#endif
  runtime.block_on(results.close());
}

}  // namespace
