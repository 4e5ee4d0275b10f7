#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace magpie::detail {

/// Returns a number that no other task of the process has.
[[nodiscard]] std::uint64_t next_task_number() noexcept;

/// The name of a task. A copy costs no memory.
struct task_name {
  /// The name that was given or, if none was, "Task-N". Throws std::bad_alloc.
  [[nodiscard]] std::string text() const;

  std::shared_ptr<const std::string> given = nullptr;  // null for none
  std::uint64_t number = 0;
};

}  // namespace magpie::detail
