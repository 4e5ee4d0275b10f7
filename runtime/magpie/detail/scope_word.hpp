#pragma once

#include <cstdint>

namespace magpie::detail {

/// One value of the word of a cancel scope: its lock and, if it is a task as a whole, how many
/// requests it has got and how it ended. The questions ask about this value. The transitions give
/// the value that follows it; the scope stores that with its lock held.
class scope_word {
 public:
  enum class kind : std::uint64_t { task = 0, nested = 4 };
  /// How a task ends.
  enum class outcome : std::uint64_t { result = 16, failure = 16 | 32, cancelled = 16 | 32 | 64 };

  explicit constexpr scope_word(kind scope) noexcept : bits_(static_cast<std::uint64_t>(scope)) {}

  /// The bit that the lock's holder has set.
  static constexpr std::uint64_t lock_bit = 1;

  // A word as an atomic variable holds it.

  explicit constexpr scope_word(std::uint64_t bits) noexcept : bits_(bits) {}
  [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return bits_; }

  [[nodiscard]] constexpr bool is_locked() const noexcept { return has(lock_bit); }
  [[nodiscard]] constexpr scope_word unlocked() const noexcept { return without(lock_bit); }

  // Requests.

  [[nodiscard]] constexpr bool is_nested() const noexcept { return has(nested); }
  /// Returns how many requests a task has got, delivered or not, less those that were taken back.
  [[nodiscard]] constexpr std::uint64_t request_count() const noexcept {
    return bits_ / one_request;
  }

  [[nodiscard]] constexpr scope_word with_one_request_more() const noexcept {
    return scope_word(bits_ + one_request);
  }
  [[nodiscard]] constexpr scope_word with_one_request_less() const noexcept {
    return scope_word(bits_ - one_request);
  }

  /// Does a round of requests have the task in its list?
  [[nodiscard]] constexpr bool is_listed() const noexcept { return has(listed); }
  [[nodiscard]] constexpr scope_word with_listed() const noexcept { return with(listed); }
  [[nodiscard]] constexpr scope_word without_listed() const noexcept { return without(listed); }

  // The end of a task.

  [[nodiscard]] constexpr bool has_ended() const noexcept { return has(ended); }
  [[nodiscard]] constexpr bool has_result() const noexcept {
    return (bits_ & static_cast<std::uint64_t>(outcome::cancelled)) ==
           static_cast<std::uint64_t>(outcome::result);
  }
  /// Did it end with an exception, perhaps `cancelled`?
  [[nodiscard]] constexpr bool has_exception() const noexcept { return has(thrown); }
  [[nodiscard]] constexpr bool was_cancelled() const noexcept { return has(cancelled); }
  /// Did it end with another exception than `cancelled`?
  [[nodiscard]] constexpr bool has_failure() const noexcept {
    return (bits_ & (thrown | cancelled)) == thrown;
  }
  [[nodiscard]] constexpr bool is_observed() const noexcept { return has(observed); }

  /// The task ends. The lock is released with that.
  [[nodiscard]] constexpr scope_word ended_with(outcome how) const noexcept {
    return unlocked().with(static_cast<std::uint64_t>(how));
  }
  [[nodiscard]] constexpr scope_word with_observed() const noexcept { return with(observed); }

 private:
  static constexpr std::uint64_t nested = static_cast<std::uint64_t>(kind::nested);
  static constexpr std::uint64_t listed = 8;
  static constexpr std::uint64_t ended = static_cast<std::uint64_t>(outcome::result);
  static constexpr std::uint64_t thrown = 32;
  static constexpr std::uint64_t cancelled = 64;
  static constexpr std::uint64_t observed = 128;
  static constexpr std::uint64_t one_request = std::uint64_t{1} << 32;  // of a task

  [[nodiscard]] constexpr bool has(std::uint64_t some) const noexcept {
    return (bits_ & some) != 0;
  }
  [[nodiscard]] constexpr scope_word with(std::uint64_t some) const noexcept {
    return scope_word(bits_ | some);
  }
  [[nodiscard]] constexpr scope_word without(std::uint64_t some) const noexcept {
    return scope_word(bits_ & ~some);
  }

  std::uint64_t bits_;
};

}  // namespace magpie::detail
