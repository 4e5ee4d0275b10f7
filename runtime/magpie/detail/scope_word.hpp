#pragma once

#include <cstdint>

namespace magpie::detail {

/// One value of the word of a cancel scope: what requests the scope has had and, if it is a task as
/// a whole, how the task ended. The questions ask about this value. The transitions give the value
/// that follows it; the scope stores that with its lock held.
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
  /// Does a request stand, not delivered to the coroutine in the scope or not to all its children?
  [[nodiscard]] constexpr bool is_requested() const noexcept { return has(requested); }
  /// Is that so, or is there a scope around this one, where it may be so?
  [[nodiscard]] constexpr bool may_be_requested() const noexcept { return has(requested | nested); }
  /// Returns how many requests have come, delivered or not, less those that were taken back. A
  /// nested scope counts no further than one.
  [[nodiscard]] constexpr std::uint64_t request_count() const noexcept {
    return is_nested() ? (has(asked) ? 1 : 0) : bits_ / one_request;
  }

  /// A request comes.
  [[nodiscard]] constexpr scope_word with_request() const noexcept {
    return is_nested() ? with(requested | asked) : scope_word(with(requested).bits_ + one_request);
  }
  /// The request that stands, if there is one, is delivered.
  [[nodiscard]] constexpr scope_word delivered() const noexcept { return without(requested); }
  /// If a request has come, it stands again.
  [[nodiscard]] constexpr scope_word undelivered() const noexcept {
    return request_count() != 0 ? with(requested) : *this;
  }
  /// One of the requests to a task is taken back. With the last of them none stands.
  [[nodiscard]] constexpr scope_word with_one_request_less() const noexcept {
    const scope_word less(bits_ - one_request);
    return less.request_count() == 0 ? less.without(requested) : less;
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

  /// The task ends. The lock is released with that, and no request stands.
  [[nodiscard]] constexpr scope_word ended_with(outcome how) const noexcept {
    return unlocked().delivered().with(static_cast<std::uint64_t>(how));
  }
  [[nodiscard]] constexpr scope_word with_observed() const noexcept { return with(observed); }

 private:
  static constexpr std::uint64_t requested = 2;
  static constexpr std::uint64_t nested = static_cast<std::uint64_t>(kind::nested);
  static constexpr std::uint64_t listed = 8;
  static constexpr std::uint64_t ended = static_cast<std::uint64_t>(outcome::result);
  static constexpr std::uint64_t thrown = 32;
  static constexpr std::uint64_t cancelled = 64;
  static constexpr std::uint64_t observed = 128;
  static constexpr std::uint64_t asked = 256;  // of a nested scope: a request has come
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
