#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <magpie/gather.hpp>
#include <magpie/runtime.hpp>

#include "support/scale.hpp"

// What many more workers than processors cost: a comparison within one process, in turns, so that
// what else the machine does weighs on both sides.

namespace {

using magpie::test::scaled;
using magpie::test::stress_scale;
using seconds = std::chrono::duration<double>;

// ThreadSanitizer stops at a thread that holds more than 64 locks, and a runtime that ends locks
// one a worker.
#if defined(__SANITIZE_THREAD__)
constexpr std::size_t crowd = 32;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr std::size_t crowd = 32;
#else
constexpr std::size_t crowd = 64;
#endif
#else
constexpr std::size_t crowd = 64;
#endif

magpie::task<long> fibonacci(int n) {
  if (n < 2) co_return n;
  const auto [a, b] = co_await magpie::gather(fibonacci(n - 1), fibonacci(n - 2));
  co_return a + b;
}

seconds time_of_tree(magpie::runtime& runtime) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(runtime.block_on(fibonacci(24)), 46368);
  return std::chrono::steady_clock::now() - start;
}

TEST(oversubscription, a_crowd_of_workers_computes_trees_about_as_fast_as_two) {
  magpie::runtime few{{.workers = 2}};
  magpie::runtime many{{.workers = crowd}};
  seconds of_few{0};
  seconds of_many{0};
  for (std::size_t i = 0; i < scaled(1000); ++i) {
    of_few += time_of_tree(few);
    of_many += time_of_tree(many);
  }
  const double ratio = of_many / of_few;
  std::printf("2 workers %.3f s, %zu workers %.3f s, ratio %.2f\n", of_few.count(), crowd,
              of_many.count(), ratio);
  // The small size shares its machine with whatever else is going on.
  EXPECT_LT(ratio, stress_scale() < 1 ? 20 : 3);
}

}  // namespace
