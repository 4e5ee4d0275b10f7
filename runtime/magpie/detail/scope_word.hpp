#pragma once

#include <cstdint>

namespace magpie::detail {

/// One value of the word of a cancel scope: its lock and, if it is a task as a whole, how many
/// requests it has got, which round has reached it last, and how it ended. The questions ask about
/// this value. The transitions give the value that follows it; the scope stores that with its lock
/// held.
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

  /// The count stays where it is once it has reached its greatest value, 65535.
  [[nodiscard]] constexpr scope_word with_one_request_more() const noexcept {
    return request_count() == most_requests ? *this : scope_word(bits_ + one_request);
  }
  [[nodiscard]] constexpr scope_word with_one_request_less() const noexcept {
    return scope_word(bits_ - one_request);
  }

  // The last round of forwarding that has reached a task. See cancel_round.

  [[nodiscard]] constexpr bool was_reached_by(std::uint64_t round) const noexcept {
    return (bits_ & round_mask) == round_bits(round);
  }
  /// The round has not been through all that it found in the task.
  [[nodiscard]] constexpr bool is_on_the_way() const noexcept { return has(on_the_way); }
  [[nodiscard]] constexpr scope_word reached_by(std::uint64_t round) const noexcept {
    return scope_word((bits_ & ~round_mask) | round_bits(round) | on_the_way);
  }
  [[nodiscard]] constexpr scope_word passed() const noexcept { return without(on_the_way); }

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
  static constexpr std::uint64_t on_the_way = 8;
  static constexpr std::uint64_t ended = static_cast<std::uint64_t>(outcome::result);
  static constexpr std::uint64_t thrown = 32;
  static constexpr std::uint64_t cancelled = 64;
  static constexpr std::uint64_t observed = 128;
  static constexpr int round_shift = 8;
  static constexpr std::uint64_t one_request = std::uint64_t{1} << 48;  // of a task
  static constexpr std::uint64_t most_requests = 0xFFFF;
  static constexpr std::uint64_t round_mask = one_request - (std::uint64_t{1} << round_shift);

  /// Of 10^12 rounds one after the other, no two are taken for the same.
  [[nodiscard]] static constexpr std::uint64_t round_bits(std::uint64_t round) noexcept {
    return (round << round_shift) & round_mask;
  }

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
