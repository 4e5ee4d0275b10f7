#include "support/allocations.hpp"

#if MAGPIE_TEST_COUNTS_ALLOCATIONS

#include <cstdlib>
#include <new>

namespace magpie::test {

std::atomic<std::size_t> allocations{0};

namespace {

void* allocate(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* const block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

}  // namespace magpie::test

void* operator new(std::size_t size) { return magpie::test::allocate(size); }
void* operator new[](std::size_t size) { return magpie::test::allocate(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }

#endif
