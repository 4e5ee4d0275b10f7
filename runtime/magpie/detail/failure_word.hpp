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
    if (!is_empty()) [[unlikely]]
      drop();
  }

  [[nodiscard]] bool is_empty() const noexcept { return word_ == 0; }

  // The number of a request, once it is known here. These may be called by several threads at the
  // same time, which all write the same number.

  [[nodiscard]] bool knows_told() const noexcept { return (shared_word() & is_number) != 0; }
  [[nodiscard]] std::uint64_t told() const noexcept { return shared_word() >> 1; }
  void set_told(std::uint64_t number) noexcept {
    std::atomic_ref(word_).store(number << 1 | is_number, std::memory_order_relaxed);
  }

  // The failure, after the end.

  [[nodiscard]] bool has_failure() const noexcept {
    if (is_empty()) [[likely]]
      return false;
    return (word_ & is_number) == 0;
  }
  void set_failure(std::exception_ptr&& failure) noexcept {
    std::memcpy(&word_, &failure, sizeof word_);
    ::new (static_cast<void*>(&failure)) std::exception_ptr;  // its reference is the word's now
  }
  /// Returns null if there is none.
  [[nodiscard]] std::exception_ptr take_failure() noexcept {
    std::exception_ptr taken;
    if (has_failure()) {
      std::memcpy(static_cast<void*>(&taken), &word_, sizeof word_);
      word_ = 0;
    }
    return taken;
  }

 private:
  static_assert(sizeof(std::exception_ptr) == sizeof(std::uintptr_t),
                "an exception_ptr is one pointer, null or even");
  static constexpr std::uintptr_t is_number = 1;

  [[gnu::cold, gnu::noinline]] void drop() noexcept { static_cast<void>(take_failure()); }

  [[nodiscard]] std::uintptr_t shared_word() const noexcept {
    return std::atomic_ref(const_cast<std::uintptr_t&>(word_)).load(std::memory_order_relaxed);
  }

  // 0, or a number with its mark, or an exception_ptr's pointer. Only the branch that the coroutine
  // runs in writes it, with one exception: while the coroutine waits for children, they may write
  // down the number that it has been told, which is the same for all of them.
  std::uintptr_t word_ = 0;
};

}  // namespace magpie::detail
