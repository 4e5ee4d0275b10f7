#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace magpie::detail {

/// The name of a task, in one word: the address of a string, or, for a task without a name of its
/// own, its number with the lowest bit set. Not thread-safe.
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
      drop_string();
  }

  /// Replaces number 0 by the next number of the process. The name is then "Task-N".
  void take_number() noexcept;

  void swap(task_name& other) noexcept { std::swap(word_, other.word_); }

  /// What a thread reads under a lock, to make a text of it afterwards.
  struct reading {
    /// Throws std::bad_alloc.
    [[nodiscard]] std::string text() const;

    std::shared_ptr<const std::string> given;  // null for a number
    std::uint64_t number;
  };
  [[nodiscard]] reading read() const noexcept;

 private:
  static constexpr std::uint64_t is_number = 1;

  void drop_string() noexcept;

  std::uint64_t word_ = is_number;  // or the address of a shared_ptr to the string
};

}  // namespace magpie::detail
