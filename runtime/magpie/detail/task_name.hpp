#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace magpie::detail {

/// The name of a task, in one word: the address of a string that this object owns, or, for a task
/// without a name of its own, its number with the lowest bit set. Not thread-safe.
class task_name {
 public:
  /// Number 0, which stands for no number yet.
  task_name() noexcept = default;
  /// A copy of `given`. Throws std::bad_alloc.
  explicit task_name(std::string_view given);
  task_name(const task_name&) = delete;
  task_name& operator=(const task_name&) = delete;
  ~task_name() {
    if ((word_ & is_number) == 0) [[unlikely]]
      destroy_string();
  }

  /// Replaces number 0 by the next number of the process. The name is then "Task-N".
  void take_number() noexcept;

  void swap(task_name& other) noexcept { std::swap(word_, other.word_); }

  /// Throws std::bad_alloc.
  [[nodiscard]] std::string text() const;

 private:
  static constexpr std::uint64_t is_number = 1;

  void destroy_string() noexcept;

  std::uint64_t word_ = is_number;
};

}  // namespace magpie::detail
