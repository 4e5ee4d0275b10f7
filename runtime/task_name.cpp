#include <magpie/detail/task_name.hpp>

#include <atomic>

namespace magpie::detail {

namespace {

/// Returns a number that is unique in the process. A thread takes a block of numbers at a time, so
/// that spawning threads do not meet at one counter.
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

}  // namespace

using shared_text = std::shared_ptr<const std::string>;

task_name::task_name(std::string_view given)
    : word_(reinterpret_cast<std::uintptr_t>(
          new shared_text(std::make_shared<const std::string>(given)))) {}

void task_name::take_number() noexcept { word_ = next_task_number() << 1 | is_number; }

void task_name::drop_string() noexcept { delete reinterpret_cast<shared_text*>(word_); }

task_name::reading task_name::read() const noexcept {
  if ((word_ & is_number) != 0) return {nullptr, word_ >> 1};
  return {*reinterpret_cast<const shared_text*>(word_), 0};
}

std::string task_name::reading::text() const {
  return given ? *given : "Task-" + std::to_string(number);
}

}  // namespace magpie::detail
