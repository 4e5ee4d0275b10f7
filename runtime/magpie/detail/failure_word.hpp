#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <utility>

namespace magpie::detail {

/// The word of a coroutine's promise for what it threw. Until the coroutine has ended, the word is
/// free, and says which request its branch has been told of: see branch.hpp.
class failure_word {
 public:
  failure_word() noexcept = default;
  failure_word(const failure_word&) = delete;
  failure_word& operator=(const failure_word&) = delete;
  ~failure_word() {
    if (has_failure()) [[unlikely]]
      static_cast<void>(take_failure());
  }

  [[nodiscard]] bool is_empty() const noexcept { return word() == 0; }

  // The number of a request, once it is known here.

  [[nodiscard]] bool knows_told() const noexcept { return (word() & is_number) != 0; }
  [[nodiscard]] std::uint64_t told() const noexcept { return word() >> 1; }
  void set_told(std::uint64_t number) noexcept {
    word_.store(number << 1 | is_number, std::memory_order_relaxed);
  }

  // The failure, after the end.

  [[nodiscard]] bool has_failure() const noexcept {
    const std::uintptr_t seen = word();
    return seen != 0 && (seen & is_number) == 0;
  }
  void set_failure(std::exception_ptr&& failure) noexcept {
    std::uintptr_t address = 0;
    std::memcpy(&address, &failure, sizeof address);
    ::new (static_cast<void*>(&failure)) std::exception_ptr;  // its reference is the word's now
    word_.store(address, std::memory_order_relaxed);
  }
  /// Returns null if there is none.
  [[nodiscard]] std::exception_ptr take_failure() noexcept {
    std::exception_ptr taken;
    if (!has_failure()) return taken;
    const std::uintptr_t address = word_.exchange(0, std::memory_order_relaxed);
    std::memcpy(static_cast<void*>(&taken), &address, sizeof address);
    return taken;
  }

 private:
  static_assert(sizeof(std::exception_ptr) == sizeof(std::uintptr_t),
                "an exception_ptr is one pointer, null or even");
  static constexpr std::uintptr_t is_number = 1;

  [[nodiscard]] std::uintptr_t word() const noexcept {
    return word_.load(std::memory_order_relaxed);
  }

  // 0, or a number with its mark, or an exception_ptr's pointer. Only the branch that the coroutine
  // runs in writes it, with one exception: while the coroutine waits for children, they may write
  // down the number that it has been told, which is the same for all of them.
  std::atomic<std::uintptr_t> word_{0};
};

}  // namespace magpie::detail
