#pragma once

#include <utility>

namespace magpie::detail {

/// Throws invalid_state: "magpie: expected " and then `expected`.
[[noreturn]] void throw_invalid_state(const char* expected);

/// Part of an awaitable that may be awaited once. Until then it may be moved to where it is
/// awaited.
class single_await {
 public:
  single_await() noexcept = default;
  single_await(single_await&& other) noexcept : has_begun_(std::exchange(other.has_begun_, true)) {}

  /// For await_ready. Throws invalid_state if it is not the first call.
  void begin() { check(std::exchange(has_begun_, true)); }
  /// The same, for an awaitable that knows by itself whether it has been awaited.
  static void check(bool has_begun) {
    if (has_begun) [[unlikely]]
      throw_invalid_state("an awaitable that is awaited for the first time");
  }

 private:
  bool has_begun_ = false;
};

}  // namespace magpie::detail
