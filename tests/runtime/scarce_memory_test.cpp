#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <magpie/detail/sanitizers.hpp>
#include <magpie/parallel_invoke.hpp>
#include <magpie/runtime.hpp>
#include <new>

#include "support/invoke_so.hpp"

// Forks that find no memory for their lane to grow. A lane has room for some hundreds without.
// Without sanitizers: theirs is the only operator new then.

#if !MAGPIE_ADDRESS_SANITIZER && !MAGPIE_THREAD_SANITIZER

namespace {

thread_local bool is_scarce = false;

/// While it lives, this thread's allocations fail.
struct scarcity {
  scarcity() { is_scarce = true; }
  scarcity(const scarcity&) = delete;
  scarcity& operator=(const scarcity&) = delete;
  ~scarcity() { is_scarce = false; }
};

void* allocate(std::size_t size) {
  void* const block = is_scarce ? nullptr : std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }

namespace {

using magpie::test::in_task;

class scarce_memory : public testing::Test {
 protected:
  magpie::runtime runtime{{.workers = 1}};
};

/// How many of the seconds at `levels` levels were called, each below the first of the one before.
template <class Bottom>
void down(int levels, int& calls, const Bottom& bottom) {
  if (levels == 0) return bottom();
  magpie::parallel_invoke([&] { down(levels - 1, calls, bottom); }, [&] { ++calls; });
}

TEST_F(scarce_memory, parallel_invoke_calls_one_after_the_other) {
  constexpr int levels = 2000;
  int calls = 0;
  const auto bottom = [&calls] { EXPECT_EQ(calls, 0); };
  runtime.block_on(in_task([&] {
    const scarcity here;
    down(levels, calls, bottom);
  }));
  EXPECT_EQ(calls, levels);
}

TEST_F(scarce_memory, parallel_invoke_calls_all_though_the_first_throws) {
  constexpr int levels = 2000;
  int calls = 0;
  const auto bottom = [] { throw 7; };
  const auto body = [&] {
    const scarcity here;
    down(levels, calls, bottom);
  };
  EXPECT_THROW(runtime.block_on(in_task(body)), int);
  EXPECT_EQ(calls, levels);
}

}  // namespace

#endif
