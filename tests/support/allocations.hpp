#pragma once

#include <magpie/detail/sanitizers.hpp>

// Sanitizers have an operator new of their own.
#if !MAGPIE_ADDRESS_SANITIZER && !MAGPIE_THREAD_SANITIZER
#define MAGPIE_TEST_COUNTS_ALLOCATIONS 1

#include <atomic>
#include <cstddef>

namespace magpie::test {

/// How often the test program, of which allocations.cpp is a part, has called operator new.
extern std::atomic<std::size_t> allocations;

}  // namespace magpie::test

#endif
