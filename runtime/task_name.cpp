#include <magpie/detail/task_name.hpp>

#include <atomic>

namespace magpie::detail {

/// A thread takes a block of numbers at a time, so that spawning threads do not meet at one
/// counter.
std::uint64_t next_task_number() noexcept {
  constexpr std::uint64_t block = 256;
  static std::atomic<std::uint64_t> next_block{1};
  thread_local std::uint64_t next = 0;
  thread_local std::uint64_t end = 0;
  if (next == end) {
    next = next_block.fetch_add(block, std::memory_order_relaxed);
    end = next + block;
  }
  return next++;
}

std::string task_name::text() const { return given ? *given : "Task-" + std::to_string(number); }

}  // namespace magpie::detail
