#pragma once

#include <cstdint>
#include <functional>

#include "support/program.hpp"

namespace bench {

/// What the process has used up to now, all its threads together.
struct process_usage {
  nanoseconds cpu;  // user and system time
  std::int64_t voluntary_switches;

  [[nodiscard]] static process_usage now();
};

/// Bytes of memory that are resident now.
[[nodiscard]] double resident_bytes();

/// Calls `measure` in a child process and gives its elapsed time and one counter. The caller has
/// no other threads.
[[nodiscard]] sample in_child_process(const char* counter_name,
                                      const std::function<sample()>& measure);

}  // namespace bench
