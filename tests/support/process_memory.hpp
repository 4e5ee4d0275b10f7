#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>

namespace magpie::test {

/// What of this process lies in memory.
[[nodiscard]] inline std::size_t resident_bytes() {
  std::ifstream pages("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  pages >> all >> resident;
  EXPECT_TRUE(static_cast<bool>(pages)) << "/proc/self/statm";
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace magpie::test
