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
  /// "Task-N".
  explicit task_name(std::uint64_t of_task) noexcept : number(of_task) {}
  /// A copy of `text`. Throws std::bad_alloc.
  explicit task_name(std::string_view text) : given(std::make_shared<const std::string>(text)) {}

  /// Throws std::bad_alloc.
  [[nodiscard]] std::string text() const;

  std::shared_ptr<const std::string> given;  // null for a number
  std::uint64_t number = 0;
};

}  // namespace magpie::detail
